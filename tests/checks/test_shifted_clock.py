"""The clock of a process is set ahead, by whichever function it is read; dates in the data do not change."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import time
real = time.time()
from kpipe.checks.shifted_clock import shift_clock
shift_clock(50 * 86400)
import datetime, pandas as pd
from datetime import date, datetime as When
days = lambda seconds: round((seconds - real) / 86400)
print(days(time.time()), days(time.time_ns() / 1e9), days(time.mktime(time.localtime())))
print(days(When.now().timestamp()), days(datetime.datetime.today().timestamp()), (date.today() - date(2000, 1, 1)).days
      - (datetime.date.fromtimestamp(real) - date(2000, 1, 1)).days)
now = pd.Timestamp.now(), pd.Timestamp("now"), pd.to_datetime("today")
print(*[days(one.timestamp()) for one in now])
print(pd.Timestamp("2020-02-03"), pd.to_datetime(["2020-02-03"])[0], isinstance(pd.Timestamp("2020-02-03"), When))
print(isinstance(When(2020, 1, 1), date), isinstance(date(2020, 1, 1), When))
print(*[days(time.mktime(time.strptime(text))) for text in (time.asctime(), time.strftime("%c"))])
then = time.gmtime(0)
print(time.asctime(then), time.strftime("%Y", then))
"""


def test_every_clock_is_ahead_and_dates_in_the_data_do_not_change() -> None:
    output = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    assert output.splitlines() == [
        "50 50 50",
        "50 50 50",
        "50 50 50",
        "2020-02-03 00:00:00 2020-02-03 00:00:00 True",
        "True False",
        "50 50",
        "Thu Jan  1 00:00:00 1970 1970",
    ]
