from __future__ import annotations

import pandas as pd

from kpipe.report.columns import with_readable_values

HASHES = pd.DataFrame({"Ticket": [-7562556671461685633, 2**60], "Family": [2**61, 2**62], "Age": [22, 38]})


def test_a_column_of_hashes_is_shown_with_the_cells_of_the_file() -> None:
    original = pd.DataFrame({"Ticket": ["A/5 21171", "PC 17599"], "Age": [22.0, 38.0]})
    shown = with_readable_values(HASHES, original)
    assert shown["Ticket"].tolist() == ["A/5 21171", "PC 17599"]
    assert shown["Family"].equals(HASHES["Family"])  # no column of the file
    assert shown["Age"].equals(HASHES["Age"])


def test_rows_that_cleaning_has_left_out_keep_their_hashes() -> None:
    assert with_readable_values(HASHES, pd.DataFrame({"Ticket": ["A/5 21171"]})) is HASHES
