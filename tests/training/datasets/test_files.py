import gzip
import hashlib
import http.server
import socketserver
import threading
from dataclasses import replace
from functools import partial

import pytest

from training.datasets import japanese_vowels, sigmorphon2021, snips
from training.datasets.files import DataFile, digest_of, locate, locate_together
from training.datasets.seattle_weather import FILE
from training.errors import InputError

CONTENT = b"date,OT\n2016-07-01 00:00:00,30.5\n" * 1000


class Origin(http.server.BaseHTTPRequestHandler):
    """Answers /good with CONTENT, /short with a connection that breaks halfway, anything else with 404."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path not in ("/good", "/short"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/good" else CONTENT[: len(CONTENT) // 2])

    def log_message(self, *_):
        pass


@pytest.fixture
def origin():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Origin) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def file(origin):
    return DataFile(
        data_set="etth1",
        name="ETTh1.csv",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        bytes=len(CONTENT),
        licence="CC BY-ND 4.0",
        citation="Zhou et al. 2021",
        url=f"{origin.url}/good",
    )


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQZOO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SEQZOO_DATA", raising=False)
    return tmp_path / "home"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The folder that SEQZOO_DATA names."""
    folder = tmp_path / "own"
    (folder / "etth1").mkdir(parents=True)
    monkeypatch.setenv("SEQZOO_DATA", str(folder))
    return folder


def left_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_shipped_file_is_found_without_a_setting_and_has_its_checksum():
    path = locate(FILE)
    assert digest_of(path) == FILE.sha256
    assert path.stat().st_size == FILE.bytes


def test_the_file_of_the_user_comes_before_the_one_that_ships(own):
    (own / "seattle-weather").mkdir()
    mine = own / "seattle-weather" / "seattle-weather.csv"
    mine.write_bytes(locate(FILE).read_bytes())
    assert locate(FILE) == mine


def test_a_folder_of_the_user_without_the_file_leaves_the_one_that_ships(own):
    assert locate(FILE).parent.name == "shipped"


def test_the_file_of_the_user_is_taken_and_nothing_is_downloaded(own, file, origin, home):
    (own / "etth1" / "ETTh1.csv").write_bytes(CONTENT)
    assert locate(file) == own / "etth1" / "ETTh1.csv"
    assert origin.asked == []
    assert not home.exists()


def test_files_of_one_data_set_lie_together(own, file, origin, home):
    """One above another, as those of SNIPS do, and two that the user has in part alone."""
    (own / "etth1" / "train").mkdir()
    files = [file, replace(file, data_set="etth1/train")]
    (own / str(files[1])).write_bytes(CONTENT)
    with pytest.raises(InputError, match=rf"^etth1/ETTh1\.csv lies in {home}/data and etth1/train/.* in {own}; expect"):
        locate_together(files)
    (own / str(file)).write_bytes(CONTENT)
    assert locate_together(files) == [own / str(file) for file in files]


@pytest.mark.parametrize(
    "together", [snips.locate, japanese_vowels.locate, *(partial(sigmorphon2021.locate, of) for of in ("dut", "fre"))]
)
def test_a_data_set_that_is_read_by_its_folder_is_refused_in_two(together, monkeypatch, tmp_path):
    places = iter(["own", *["downloaded"] * 20])
    monkeypatch.setattr("training.datasets.files.locate", lambda file: tmp_path / next(places) / str(file))
    with pytest.raises(InputError, match=r"lies in .*own and .* in .*downloaded; expected all files of .* in one"):
        together()


def test_a_packed_file_of_the_user_is_taken_by_the_checksum_of_what_is_packed(own, file, origin):
    packed = own / "etth1" / "ETTh1.csv.gz"
    packed.write_bytes(gzip.compress(CONTENT))
    assert locate(file) == packed
    assert origin.asked == []
    (own / "etth1" / "ETTh1.csv").write_bytes(CONTENT)
    assert locate(file) == own / "etth1" / "ETTh1.csv"


def test_a_packed_file_of_the_user_that_is_damaged_is_an_error(own, file):
    packed = own / "etth1" / "ETTh1.csv.gz"
    packed.write_bytes(gzip.compress(CONTENT)[:-20])
    with pytest.raises(InputError, match=r"ETTh1\.csv\.gz cannot be read: .*; expected 33000 bytes .* Put it"):
        locate(file)


def test_a_file_of_the_user_with_another_checksum_is_an_error_and_not_passed_over(own, file, origin):
    mine = own / "etth1" / "ETTh1.csv"
    mine.write_bytes(b"date\n")
    with pytest.raises(InputError) as told:
        locate(file)
    for part in (str(mine), "5 bytes", digest_of(mine), f"expected {len(CONTENT)} bytes", file.sha256, file.url):
        assert part in str(told.value)
    assert "\n" not in str(told.value)
    assert origin.asked == []


def test_a_folder_where_the_file_should_be_is_an_error(own, file):
    (own / "etth1" / "ETTh1.csv").mkdir()
    with pytest.raises(InputError, match=r"ETTh1\.csv cannot be read: Is a directory; expected 33000 bytes .* Put it"):
        locate(file)


def test_a_setting_that_names_no_folder_is_an_error(monkeypatch, file):
    monkeypatch.setenv("SEQZOO_DATA", "/nowhere/at/all")
    with pytest.raises(InputError, match=r"SEQZOO_DATA is /nowhere/at/all, which is no folder; .* unset SEQZOO_DATA"):
        locate(file)


def test_an_empty_setting_is_none(monkeypatch):
    monkeypatch.setenv("SEQZOO_DATA", "")
    assert locate(FILE).parent.name == "shipped"


def test_a_missing_file_is_downloaded_once_and_shows_licence_and_citation_once(file, origin, home):
    shown = []
    first = locate(file, shown.append)
    second = locate(file, shown.append)
    assert first == second == home / "data" / "etth1" / "ETTh1.csv"
    assert first.read_bytes() == CONTENT
    assert origin.asked == ["/good"]
    assert shown == [
        "Downloading etth1/ETTh1.csv (33,000 bytes). Licence: CC BY-ND 4.0. Please cite: Zhou et al. 2021."
    ]
    assert left_in(home) == [first]


def test_licence_and_citation_are_shown_on_standard_error_by_default(file, capsys):
    locate(file)
    out, err = capsys.readouterr()
    assert out == ""
    assert "CC BY-ND 4.0" in err
    assert "Zhou et al. 2021" in err


def test_a_downloaded_file_that_was_changed_since_is_downloaded_again(file, origin):
    path = locate(file)
    path.write_bytes(b"changed")
    assert locate(file).read_bytes() == CONTENT
    assert origin.asked == ["/good", "/good"]


def test_a_download_that_fails_leaves_the_changed_file_as_it_was(file, origin):
    path = locate(file)
    path.write_bytes(b"changed")
    with pytest.raises(InputError, match="the download failed"):
        locate(replace(file, url=f"{origin.url}/absent"))
    assert path.read_bytes() == b"changed"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"url": "/short"}, r"the download failed \(.*IncompleteRead"),
        ({"url": "/absent"}, r"the download failed \(404 Client Error"),
        ({"sha256": "0" * 64}, r"what was downloaded is another file \(its checksum differs\)"),
    ],
    ids=["broken connection", "absent", "wrong checksum"],
)
def test_a_download_that_fails_says_why_and_where_to_put_the_file_and_leaves_nothing(
    file, origin, home, change, reason
):
    if "url" in change:
        change = {"url": origin.url + change["url"]}
    wanted = replace(file, **change)
    with pytest.raises(InputError, match=reason) as told:
        locate(wanted, show=lambda text: None)
    for part in ("etth1/ETTh1.csv is not on this machine", wanted.sha256, wanted.url, str(home / "data" / "etth1")):
        assert part in str(told.value)
    assert "\n" not in str(told.value)
    assert left_in(home) == []


def test_offline_is_an_error_that_says_where_to_put_the_file(file, home):
    with socketserver.TCPServer(("127.0.0.1", 0), Origin) as closed:
        url = f"http://127.0.0.1:{closed.server_address[1]}/good"
    with pytest.raises(InputError, match=rf"Connection refused.*put the file into {home}/data/etth1\.$"):
        locate(replace(file, url=url))


def test_a_file_put_where_the_error_said_is_taken(file, origin, home):
    (home / "data" / "etth1").mkdir(parents=True)
    (home / "data" / "etth1" / "ETTh1.csv").write_bytes(CONTENT)
    shown = []
    assert locate(file, shown.append).read_bytes() == CONTENT
    assert origin.asked == shown == []


def test_a_home_that_cannot_be_written_to_is_an_error(file, home):
    home.write_text("a file where the folder should be")
    with pytest.raises(InputError, match=r"could not be written \(Not a directory\)"):
        locate(file)


def test_two_at_once_both_get_the_whole_file(file, home):
    got = []
    threads = [threading.Thread(target=lambda: got.append(locate(file).read_bytes())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [CONTENT] * 4
    assert len(left_in(home)) == 1
