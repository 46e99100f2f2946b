"""A simulated Kaggle on loopback for the real client: ranges and ETags, uploads, scores, and faults on demand.

``Misbehave`` is one fault at one address, once or more often; every test of a failure uses one.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

__all__ = ["Contest", "KaggleServer", "Kernel", "Misbehave", "serving"]

KEY, TOKEN, USER = "0123456789abcdef0123456789abcdef", "KGAT_right_token_000000000000000", "ada"


@dataclass
class Contest:
    """A competition. score : CSV's bytes → public and private score, or a reason why it cannot be scored."""

    zip: bytes
    score: Callable[[bytes], tuple[float, float] | str] = lambda _: (0.5, 0.5)
    rules_accepted: bool = True
    left_today: int = 5
    pending_polls: int = 1  # how often a submission is listed as pending before it has a score
    deadline_passed: bool = False
    kernels_only: bool = False
    evaluation_metric: str = "Categorization Accuracy"
    on_accept: Callable[[], object] = lambda: None  # called when a submission was made, before it is answered


@dataclass
class Kernel:
    """What the next pushed kernel does. run : script → files by name, or the reason why it fails."""

    run: Callable[[str], dict[str, bytes] | str] = lambda _: {}
    log: str = ""
    polls: int = 2  # how often its status is queued or running
    refused: dict[str, Any] = field(default_factory=dict)  # fields of the response to the push


@dataclass
class Misbehave:
    """What happens ``times`` times at addresses that contain ``where``, after ``skip`` correct responses.

    kind : "drop" (the connection is cut instead of a response), "drop_after" (the work is done, the response is lost),
        "cut_in_the_middle" (of a file), "hang" (silence for ``seconds``), "slow" (a pause between pieces of a file), or
        a number: a response with that status and ``body``.
    raw : bytes to send in place of ``body``.
    """

    where: str
    kind: str | int
    times: int = 1
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 3.0
    skip: int = 0
    raw: bytes | None = None


@dataclass
class KaggleServer:
    """The state of this Kaggle. Tests set it, and read what arrived."""

    contests: dict[str, Contest] = field(default_factory=dict)
    faults: list[Misbehave] = field(default_factory=list)
    submissions: list[dict[str, Any]] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    requested: list[str] = field(default_factory=list)  # paths, in order
    kernel: Kernel = field(default_factory=Kernel)
    pushes: list[dict[str, Any]] = field(default_factory=list)
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    leaked: list[str] = field(default_factory=list)  # credentials that arrived where files are stored
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault(self, path: str) -> Misbehave | None:
        for fault in self.faults:
            if fault.where in path and fault.skip > 0:
                fault.skip -= 1
            elif fault.where in path and fault.times > 0:
                fault.times -= 1
                return fault
        return None


@contextmanager
def serving(server: KaggleServer) -> Iterator[KaggleServer]:
    """Run the server on a free port of this machine until the end of the block."""

    class Bound(_Handler):
        kaggle = server

    http = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    http.daemon_threads = True
    server.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    kaggle: KaggleServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Silence."""

    def do_POST(self) -> None:
        self._serve(self._api)

    def do_GET(self) -> None:
        self._serve(self._file)

    def do_PUT(self) -> None:
        self._serve(self._upload)

    def _serve(self, work: Callable[[], None]) -> None:
        self.kaggle.requested.append(self.path)
        fault = self.kaggle.fault(self.path)
        try:
            if fault is not None and isinstance(fault.kind, int):
                self._body()
                self._json(fault.body, status=fault.kind, headers=fault.headers, raw=fault.raw)
            elif fault is not None and fault.kind == "hang":
                time.sleep(fault.seconds)
                self.close_connection = True
            elif fault is not None and fault.kind == "drop":
                self._body()
                self._cut()
            else:
                self.fault = fault
                work()
        except _Refused as refused:
            self._json({"error": {"code": refused.status, "message": str(refused)}}, status=refused.status)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _json(
        self, body: Any, *, status: int = 200, headers: dict[str, str] | None = None, raw: bytes | None = None
    ) -> None:
        content = json.dumps(body).encode() if raw is None else raw
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _api(self) -> None:
        request = json.loads(self._body() or b"{}")
        name = urlsplit(self.path).path.rsplit("/", 1)[-1]
        if name == "IntrospectToken":
            right = request.get("token") == TOKEN
            self._json({"active": right, "username": USER if right else ""})
            return
        self._check_user()
        if name == "ListCompetitions":
            self._json({"competitions": []})
            return
        if name == "GetAcceleratorQuotaStatistics":
            self._json({"gpuQuota": {"timeUsed": "3600s", "totalTimeAllowed": "108000s"}})
            return
        if any(service in self.path for service in ("KernelsApiService", "DatasetApiService", "BlobApiService")):
            self._json(getattr(self, f"_{name}")(request))
            return
        answer = getattr(self, f"_{name}")(request, self._contest(request.get("competitionName", "")))
        if answer is None:
            return
        if self.fault is not None and self.fault.kind == "drop_after":
            self._cut()
        else:
            self._json(answer)

    def _check_user(self) -> None:
        basic = "Basic " + base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        if self.headers.get("Authorization") not in (basic, f"Bearer {TOKEN}"):
            raise _Refused(401, "Unauthenticated")

    def _contest(self, slug: str) -> Contest:
        if slug not in self.kaggle.contests:
            raise _Refused(403, "Permission 'competitions.get' was denied")
        return self.kaggle.contests[slug]

    def _GetCompetition(self, request: dict[str, Any], contest: Contest) -> dict[str, Any]:
        return {
            "ref": request["competitionName"],
            "userHasEntered": contest.rules_accepted,
            "isKernelsSubmissionsOnly": contest.kernels_only,
            "maxDailySubmissions": 5,
            "evaluationMetric": contest.evaluation_metric,
            "userRank": 17 if self.kaggle.submissions else None,
        }

    def _GetSubmissionLimits(self, _: dict[str, Any], contest: Contest) -> dict[str, Any]:
        return {"numToday": 5 - contest.left_today, "numAllowedNow": contest.left_today}

    def _DownloadDataFiles(self, request: dict[str, Any], contest: Contest) -> None:
        if not contest.rules_accepted:
            raise _Refused(403, "You must accept this competition's rules before you can download its data")
        self.send_response(302)
        # to another host, as Kaggle's files are
        where = f"http://localhost:{self.kaggle.port}/files/{request['competitionName']}.zip"
        self.send_header("Location", f"{where}?signature=secret-signature")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _StartSubmissionUpload(self, request: dict[str, Any], contest: Contest) -> dict[str, Any]:
        if not contest.rules_accepted:
            raise _Refused(403, "You must accept this competition's rules before you can submit")
        token = f"blob-{len(self.kaggle.uploads)}-{request['fileName']}"
        self.kaggle.uploads[token] = b""
        return {"token": token, "createUrl": f"{self.kaggle.url}/upload/{token}"}

    def _CreateSubmission(self, request: dict[str, Any], contest: Contest) -> dict[str, Any]:
        if contest.deadline_passed:
            raise _Refused(400, "The competition deadline has passed")
        if contest.left_today < 1:
            raise _Refused(400, "Submission not allowed: Your team has used its daily Submission allowance (5) today")
        contest.left_today -= 1
        token = request["blobFileTokens"]
        self.kaggle.submissions.insert(0, {
            "ref": 1000 + len(self.kaggle.submissions),
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "description": request.get("submissionDescription", ""),
            "fileName": token.split("-", 2)[2],
            "slug": request["competitionName"],
            "content": self.kaggle.uploads[token],
            "polls": contest.pending_polls,
        })  # fmt: skip
        contest.on_accept()
        return {"message": "Successfully submitted", "ref": self.kaggle.submissions[0]["ref"]}

    def _CreateCodeSubmission(self, request: dict[str, Any], contest: Contest) -> dict[str, Any]:
        token = f"blob-kernel-{request['fileName']}"
        pushed = self.kaggle.pushes[int(request["kernelVersion"]) - 1]
        self.kaggle.uploads[token] = pushed["files"][request["fileName"]]
        return self._CreateSubmission({**request, "blobFileTokens": token}, contest)

    def _StartBlobUpload(self, request: dict[str, Any]) -> dict[str, Any]:
        token = f"blob-{len(self.kaggle.uploads)}-{request['name']}"
        self.kaggle.uploads[token] = b""
        return {"token": token, "createUrl": f"{self.kaggle.url}/upload/{token}"}

    def _CreateDataset(self, request: dict[str, Any]) -> dict[str, Any]:
        name = f"{request['ownerSlug']}/{request['slug']}"
        files = {one["token"].split("-", 2)[2]: self.kaggle.uploads[one["token"]] for one in request["files"]}
        self.kaggle.datasets[name] = {**request, "files": files, "polls": 1}
        return {"status": "ok", "url": f"https://www.kaggle.com/datasets/{name}"}

    def _GetDatasetStatus(self, request: dict[str, Any]) -> dict[str, Any]:
        name = f"{request['ownerSlug']}/{request['datasetSlug']}"
        if name not in self.kaggle.datasets:
            raise _Refused(403, "Permission 'datasets.get' was denied")
        self.kaggle.datasets[name]["polls"] -= 1
        return {"status": "NOT_YET_PERSISTED" if self.kaggle.datasets[name]["polls"] >= 0 else "READY"}

    def _SaveKernel(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.kaggle.kernel.refused:
            return {"ref": "", "url": "", **self.kaggle.kernel.refused}
        made = self.kaggle.kernel.run(request["text"])
        files = made if isinstance(made, dict) else {}
        self.kaggle.pushes.append({**request, "files": files, "failed": made, "polls": self.kaggle.kernel.polls})
        ref = f"/code/{request['slug']}"
        return {"ref": ref, "url": f"https://www.kaggle.com{ref}", "versionNumber": len(self.kaggle.pushes)}

    def _GetKernelSessionStatus(self, request: dict[str, Any]) -> dict[str, Any]:
        pushed = self.kaggle.pushes[int(request["versionLabel"]) - 1]
        pushed["polls"] -= 1
        if pushed["polls"] >= 0:
            return {"status": "RUNNING" if pushed["polls"] == 0 else "QUEUED"}
        if isinstance(pushed["failed"], str):
            return {"status": "ERROR", "failureMessage": pushed["failed"]}
        return {"status": "COMPLETE"}

    def _ListKernelSessionOutput(self, request: dict[str, Any]) -> dict[str, Any]:
        """One file a page."""
        version = int(request["versionLabel"])
        names = sorted(self.kaggle.pushes[version - 1]["files"])
        page = int(request.get("pageToken") or 0)
        files = [
            {"fileName": name, "url": f"{self.kaggle.url}/output/{version}/{name}"} for name in names[page : page + 1]
        ]
        more = {"nextPageToken": str(page + 1)} if page + 1 < len(names) else {}
        return {"files": files, "log": self.kaggle.kernel.log, **more}

    def _ListSubmissions(self, request: dict[str, Any], contest: Contest) -> dict[str, Any]:
        of_contest = [one for one in self.kaggle.submissions if one["slug"] == request["competitionName"]]
        return {"submissions": [self._listed(one, contest) for one in of_contest]}

    def _listed(self, one: dict[str, Any], contest: Contest) -> dict[str, Any]:
        shown = {name: one[name] for name in ("ref", "date", "description", "fileName")}
        if one["polls"] > 0:
            one["polls"] -= 1
            return {**shown, "status": "PENDING", "publicScore": "", "privateScore": ""}
        score = contest.score(one["content"])
        if isinstance(score, str):
            return {**shown, "status": "ERROR", "errorDescription": score}
        return {**shown, "status": "COMPLETE", "publicScore": f"{score[0]:.5f}", "privateScore": f"{score[1]:.5f}"}

    def _upload(self) -> None:
        token = self.path.rsplit("/", 1)[-1]
        self.kaggle.uploads[token] = self._body()
        self._json({})

    def _file(self) -> None:
        if "Authorization" in self.headers:
            self.kaggle.leaked.append(self.path)
        if self.path.startswith("/output/"):
            _, _, version, name = self.path.split("/")
            content = self.kaggle.pushes[int(version) - 1]["files"][name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self._send(content)
            return
        slug = urlsplit(self.path).path.rsplit("/", 1)[-1].removesuffix(".zip")
        content = self.kaggle.contests[slug].zip
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        start = 0
        if self.headers.get("Range") and self.headers.get("If-Range") in (None, etag):
            start = int(self.headers["Range"].removeprefix("bytes=").split("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for name, value in {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/zip"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self._send(content[start:])

    def _send(self, content: bytes) -> None:
        fault = self.fault
        if fault is not None and fault.kind == "cut_in_the_middle":
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self._cut()
        elif fault is not None and fault.kind == "slow":
            for begin in range(0, len(content), 1 << 16):
                self.wfile.write(content[begin : begin + (1 << 16)])
                time.sleep(fault.seconds)
        else:
            self.wfile.write(content)


def accuracy(truth: pd.DataFrame, id: str, target: str) -> Callable[[bytes], tuple[float, float] | str]:
    """Scores a submission as Kaggle would: by id, the first half of the truth public, the second private."""

    def score(content: bytes) -> tuple[float, float] | str:
        sent = pd.read_csv(io.BytesIO(content))
        if list(sent.columns) != [id, target] or len(sent) != len(truth):
            return f"Submission must have {len(truth)} rows and the columns {id}, {target}"
        right = sent.set_index(id)[target].reindex(truth[id]).to_numpy() == truth[target].to_numpy()
        half = len(right) // 2
        return float(right[:half].mean()), float(right[half:].mean())

    return score
