import os
import stat
import struct
import warnings
import zipfile

import pytest
from bundles import foreign_zip

from edge_aver.bundle.archive import MAX_MEMBERS, open_archive, read_member, write_archive
from edge_aver.errors import ArtifactError

CONTENT = {"manifest.json": b"{}\n", "a/b.bin": bytes(range(256)) * 3, "a/empty": b""}
ANY = bytes(8)


def read(path):
    with open_archive(path) as (file, members):
        return {member.name: b"".join(read_member(file, member)) for member in members}


@pytest.fixture
def archive(tmp_path):
    write_archive(tmp_path / "x.aver", CONTENT)
    return tmp_path / "x.aver"


def refused(path, words):
    with pytest.raises(ArtifactError, match=words) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_is_written_reads_back_here_and_by_any_unzip(archive):
    assert read(archive) == CONTENT
    with zipfile.ZipFile(archive) as other:
        assert other.testzip() is None
        assert {name: other.read(name) for name in other.namelist()} == CONTENT


def test_the_same_members_give_the_same_bytes(archive, tmp_path):
    for name, data in CONTENT.items():
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_bytes(data)
        os.utime(tmp_path / "files" / name, (1, 1))
    write_archive(tmp_path / "y.aver", {name: tmp_path / "files" / name for name in CONTENT})
    assert (tmp_path / "y.aver").read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("value", [0x01, 0x80, 0xFF])
def test_every_changed_byte_is_found(archive, tmp_path, value):
    whole = archive.read_bytes()
    changed = tmp_path / "changed.aver"
    for at in range(len(whole)):
        changed.write_bytes(whole[:at] + bytes([whole[at] ^ value]) + whole[at + 1 :])
        with pytest.raises(ArtifactError):
            read(changed)


def test_every_truncation_is_found(archive, tmp_path):
    whole = archive.read_bytes()
    cut = tmp_path / "cut.aver"
    for size in range(len(whole)):
        cut.write_bytes(whole[:size])
        with pytest.raises(ArtifactError):
            read(cut)


@pytest.mark.parametrize("spoil", [lambda data: b"#!" + data, lambda data: data + b"\0", lambda data: data * 2])
def test_nothing_stands_before_or_after_it(archive, spoil):
    archive.write_bytes(spoil(archive.read_bytes()))
    refused(archive, "end record does not fit|something after its end|does not lie where")


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/etc/evil",
        "C:\\evil",
        "a\\..\\evil",
        "a//b",
        "a/",
        ".hidden",
        "a/.b",
        "é",
        "a" * 201,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused_written_or_read(tmp_path, name):
    refused(foreign_zip(tmp_path / "x.aver", (name, ANY)), "a member is named .*not a plain relative path")
    with pytest.raises(ArtifactError, match="not a plain relative path"):
        write_archive(tmp_path / "y.aver", {name: ANY})
    assert [path.name for path in tmp_path.iterdir()] == ["x.aver"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR])
def test_links_folders_and_devices_are_refused(tmp_path, kind):
    refused(foreign_zip(tmp_path / "x.aver", ("link", b"/etc/passwd", kind | 0o777)), "link: a link, folder or device")


def test_a_bomb_is_never_unpacked(tmp_path):
    path = foreign_zip(tmp_path / "x.aver", ("bomb", bytes(50_000_000)), compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    refused(path, r"bomb: compressed or encrypted \([\d,]+ bytes for 50,000,000\); members are stored")


def test_two_members_of_one_name_are_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused(foreign_zip(tmp_path / "x.aver", ("a", ANY), ("a", ANY)), "not as edge-aver writes it|more than one")
    write_archive(tmp_path / "y.aver", {"one": ANY, "ONE": ANY})
    refused(tmp_path / "y.aver", "one: more than one member has this name")
    write_archive(tmp_path / "z.aver", {"one": ANY, "one/two": ANY})
    refused(tmp_path / "z.aver", "one/two: a part of its path is another member")


def test_more_members_than_a_bundle_has_are_refused(tmp_path):
    many = {f"m{number}": b"" for number in range(MAX_MEMBERS + 1)}
    refused(foreign_zip(tmp_path / "x.aver", *many.items()), "1,001 members: a bundle holds at most 1,000")
    with pytest.raises(ArtifactError, match="1001 members"):
        write_archive(tmp_path / "y.aver", many)


def test_a_size_that_is_not_there_is_refused(archive):
    """The first member claims 4 GB, in its own header and in the directory."""
    data = bytearray(archive.read_bytes())
    for at in (14 + 4, data.index(b"PK\1\2") + 20):
        struct.pack_into("<2L", data, at, 0xFFFFFFF0, 0xFFFFFFF0)
    archive.write_bytes(data)
    refused(archive, "does not lie where the member before it ends, or reaches too far")


def test_a_header_that_differs_from_the_directory_is_refused(archive):
    data = archive.read_bytes()
    archive.write_bytes(data.replace(b"a/b.bin", b"a/c.bin", 1))
    refused(archive, "its header is not the one of its entry in the directory")


def test_an_entry_of_another_writer_is_refused(tmp_path):
    refused(foreign_zip(tmp_path / "x.aver", ("a", ANY, stat.S_IFREG | 0o600)), "not as edge-aver writes it")


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all, but long enough to hold an end record"])
def test_what_is_no_zip_is_told(tmp_path, content):
    (tmp_path / "x.aver").write_bytes(content)
    refused(tmp_path / "x.aver", "not a bundle, truncated")


def test_a_missing_file_or_a_pipe_is_told_at_once(tmp_path):
    refused(tmp_path / "x.aver", "no such bundle")
    os.mkfifo(tmp_path / "pipe.aver")
    refused(tmp_path / "pipe.aver", "not a file")
