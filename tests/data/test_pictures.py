"""Competitions of pictures: found, joined to their rows and read as pixels, whatever their layout."""

from __future__ import annotations

import gzip
import io
import mmap
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import kpipe
from kpipe import model, pipeline
from kpipe.cli.console.run import print_run
from kpipe.core.request import RunRequest
from kpipe.core.values import Context, Tables
from kpipe.data import archives, picture_files, pixels
from kpipe.data.cache import cache_folder
from kpipe.data.loading import FileChoice, load
from kpipe.data.picture_files import open_pictures
from kpipe.errors import DataError, UsageError
from tests.conftest import KaggleZip
from tests.pictures import COLOURS, LABELS, SAMPLE, SHAPE, TEST, array, csv, names, picture, train_pictures, write


def means(frame: pd.DataFrame) -> list[str]:
    """The colour of each row's picture."""
    values = frame[pixels.pixel_names(SHAPE)].to_numpy().reshape(len(frame), -1, 3).mean(axis=1)
    return ["red" if red > blue else "blue" for red, _, blue in values]


def assert_right(found: Tables, label: str = "label") -> None:
    assert means(found.train) == [str(each) for each in found.train[label]]
    ids = found.test["picture" if "picture" in found.test else "id"].astype(str)
    assert means(found.test) == ["red" if name == "0" else "blue" for name in ids.str[-1]]
    assert set(found.train.columns) - set(found.test.columns) == {label}


LAYOUTS = {
    "labels in a file": {**train_pictures("train"), **TEST, "trainLabels.csv": LABELS, "sampleSubmission.csv": SAMPLE},
    "labels with endings": {
        **train_pictures("train"),
        **TEST,
        "labels.csv": csv("id,label", *(f"{i}.png,{label}" for i, label in enumerate(names(12)))),
        "sample_submission.csv": SAMPLE,
    },
    "labels in the file names": {
        **{f"train/{label}.{i}.png": picture(COLOURS[label]) for i, label in enumerate(names(12))},
        **TEST,
        "sample_submission.csv": SAMPLE,
    },
    "labels in the folders": {
        **{f"train/{label}/{i}.png": picture(COLOURS[label]) for i, label in enumerate(names(12))},
        **TEST,
        "sample_submission.csv": SAMPLE,
    },
    "one folder for all": {
        **train_pictures("images"),
        **{f"images/t{i}.png": content for i, content in enumerate(TEST.values())},
        "train.csv": LABELS,
        "test.csv": csv("id", "t2", "t0", "t1"),
        "sample_submission.csv": csv("id,red,blue", "t2,0.5,0.5", "t0,0.5,0.5", "t1,0.5,0.5"),
    },
    "other case": {
        **{f"train/P{i}.PNG": picture(COLOURS[label]) for i, label in enumerate(names(12))},
        **TEST,
        "train.csv": csv("id,label", *(f"p{i},{label}" for i, label in enumerate(names(12)))),
        "sample_submission.csv": SAMPLE,
    },
    "zeros before the number": {
        **{f"train/{i:05}.png": picture(COLOURS[label]) for i, label in enumerate(names(12))},
        **{f"test/{i:05}.png": content for i, content in enumerate(TEST.values())},
        "train.csv": LABELS,
        "sample_submission.csv": SAMPLE,
    },
    "a column called picture": {
        **train_pictures("train"),
        **TEST,
        "train.csv": LABELS.replace("id,", "picture,"),
        "sample_submission.csv": SAMPLE.replace("id,", "picture,"),
    },
    "a packed table": {
        **train_pictures("train"),
        **TEST,
        "train.csv.gz": gzip.compress(LABELS.encode()),
        "sample_submission.csv": SAMPLE,
    },
    "ages that are numbers of pictures": {
        **train_pictures("train"),
        **TEST,
        "train.csv": csv("age,id,label", *(f"{i * 5 % 7},{i},{label}" for i, label in enumerate(names(12)))),
        "test.csv": csv("age,id", "1,1", "2,0", "0,2"),
        "sample_submission.csv": SAMPLE,
    },
    "blanks in names": {
        **{f"train pictures/ {i} .png": picture(COLOURS[label]) for i, label in enumerate(names(12))},
        **{f"test/ {i} .png": content for i, content in enumerate(TEST.values())},
        "train.csv": csv("id,label", *(f'" {i} .png",{label}' for i, label in enumerate(names(12)))),
        "sample_submission.csv": SAMPLE,
    },
    "paths of another machine": {
        **train_pictures("data/train"),
        **{f"data/{name}": content for name, content in TEST.items()},
        "train.csv": csv("id,file,label", *(f"a{i},../input/x/train/{i}.png,{c}" for i, c in enumerate(names(12)))),
        "test.csv": csv("id,file", "b2,../input/x/test/2.png", "b0,../input/x/test/0.png", "b1,../input/x/test/1.png"),
        "sample_submission.csv": csv("id,label", "b2,red", "b0,red", "b1,red"),
    },
    "the same pictures in two formats": {
        **train_pictures("png/train"),
        **train_pictures("jpeg/train", end="jpg"),
        **{f"{end}/{name}": content for name, content in TEST.items() for end in ("png", "jpeg")},
        "train.csv": LABELS,
        "sample_submission.csv": SAMPLE,
    },
    "labels in the upper folders": {
        **{f"train/{label}/camera {i}/{i}.png": picture(COLOURS[label]) for i, label in enumerate(names(12))},
        **TEST,
        "sample_submission.csv": SAMPLE,
    },
    "a folder for validation": {
        **{f"{'valid' if i > 7 else 'train'}/{c}.{i}.png": picture(COLOURS[c]) for i, c in enumerate(names(12))},
        **TEST,
        "sample_submission.csv": SAMPLE,
    },
    "pictures to predict in a folder pred": {
        **{f"seg_train/{label}/{i}.png": picture(COLOURS[label]) for i, label in enumerate(names(12))},
        **{f"seg_pred/{i}.png": content for i, content in enumerate(TEST.values())},
    },
    "masks beside the pictures": {
        **train_pictures("train/images"),
        **{f"train/masks/{i}.png": picture(0) for i in range(12)},
        **TEST,
        "train.csv": LABELS,
        "sample_submission.csv": SAMPLE,
    },
    "arrays": {
        **{f"train/{i}.npy": array(np.full((6, 8, 3), COLOURS[c], np.uint8)) for i, c in enumerate(names(12))},
        **{f"test/{i}.npy": array(np.full((6, 8, 3), COLOURS["blue" if i else "red"], np.uint8)) for i in range(3)},
        "train.csv": LABELS,
        "sample_submission.csv": SAMPLE,
    },
    "arrays of many pictures": {
        "train_images.npy": array(np.array([np.full((6, 8, 3), COLOURS[c], np.uint8) for c in names(12)])),
        "test_images.npy": array(np.array([np.full((6, 8, 3), COLOURS[c], np.uint8) for c in ("red", "blue", "blue")])),
        "train_labels.csv": LABELS,
        "sample_submission.csv": SAMPLE,
    },
    "no sample": {**train_pictures("train"), **TEST, "train.csv": LABELS},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_row_has_the_pixels_of_its_own_picture(tmp_path: Path, layout: str) -> None:
    assert_right(load("colours", write(tmp_path, LAYOUTS[layout])))


def test_a_zip_is_read_like_a_folder_and_so_are_zips_inside_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "all", LAYOUTS["labels in a file"])
    whole = Path(shutil.make_archive(str(tmp_path / "whole"), "zip", folder))
    assert_right(load("colours", whole))
    with zipfile.ZipFile(tmp_path / "nested.zip", "w") as nested:
        for part in ("train", "test"):
            packed = shutil.make_archive(str(tmp_path / part), "zip", folder, part)
            nested.write(packed, f"{part}.zip")
        nested.writestr("train.csv", LABELS)
        nested.writestr("sample_submission.csv", SAMPLE)
    assert_right(load("colours", tmp_path / "nested.zip"))


def tar(folder: Path, name: str, *names: str) -> Path:
    path = folder.parent / name
    with tarfile.open(path, f"w:{name.rpartition('.')[2].replace('tgz', 'gz').replace('tar', '')}") as made:
        for each in names:
            made.add(folder / each, each)
    return path


@pytest.mark.parametrize("end", ["tar", "tar.gz", "tgz", "tar.xz"])
def test_pictures_in_tars_are_read_in_a_folder_and_in_a_zip(tmp_path: Path, end: str) -> None:
    folder, data = write(tmp_path / "all", LAYOUTS["labels in a file"]), tmp_path / "data"
    write(data, {"train.csv": LABELS, "sample_submission.csv": SAMPLE})
    for part in ("train", "test"):
        shutil.move(tar(folder, f"{part}.{end}", part), data)
    assert_right(load("colours", data))
    assert_right(load("colours", Path(shutil.make_archive(str(tmp_path / "whole"), "zip", data))))


def test_a_tar_that_is_damaged_hostile_or_a_bomb_gives_no_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BOMB_BYTES", 1 << 20)
    write(tmp_path / "all", {"big.png": bytes(16 << 20), "a.png": picture()})
    write(tmp_path / "data", {"broken.tar.gz": b"\x1f\x8b and more", "broken.tar": b"no tar"})
    shutil.move(tar(tmp_path / "all", "bomb.tgz", "big.png"), tmp_path / "data")
    with tarfile.open(tmp_path / "data" / "evil.tar", "w") as made:
        made.add(tmp_path / "all" / "a.png", "../up.png")
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(link)
    with open_pictures(tmp_path / "data") as found:
        assert found.pictures == []


@pytest.mark.parametrize("end", ["jpg", "png", "webp", "tif", "bmp", "gif"])
def test_pictures_of_every_usual_format_are_read(tmp_path: Path, end: str) -> None:
    files = {**train_pictures("train", end=end), **TEST, "train.csv": LABELS, "sample_submission.csv": SAMPLE}
    assert_right(load("colours", write(tmp_path, files)))


def test_grey_pictures_have_one_channel_and_16_bits_become_8(tmp_path: Path) -> None:
    deep = {f"train/{i}.png": picture(65535 if i % 2 else 0, mode="I;16") for i in range(12)}
    test = {f"test/{i}.png": picture(0, mode="I;16") for i in range(3)}
    found = load("grey", write(tmp_path, {**deep, **test, "train.csv": LABELS, "sample_submission.csv": SAMPLE}))
    assert pixels.picture_shape([name for name in found.train if name.startswith("pixel_")]) == (6, 8, 1)
    assert found.train["pixel_0_0_0"].tolist() == [0, 255] * 6


def test_the_turn_that_a_camera_notes_is_undone(tmp_path: Path) -> None:
    turned = Image.new("RGB", (6, 8))
    turned.paste(COLOURS["red"], (0, 0, 6, 4))  # the upper half, which is on the right after turning
    exif = Image.Exif()
    exif[0x0112] = 6
    made = io.BytesIO()
    turned.save(made, "png", exif=exif)
    files = LAYOUTS["labels in a file"] | {"train/0.png": made.getvalue()}
    found = load("colours", write(tmp_path, files))
    first = found.train[pixels.pixel_names(SHAPE)].to_numpy()[0].reshape(SHAPE)
    assert first[:, 6, 0].min() > 150 > 50 > first[:, 1, 0].max()


def test_large_pictures_are_made_smaller_and_sizes_may_differ(tmp_path: Path) -> None:
    sizes = [(200, 100), (100, 50), (240, 130)]
    large = {f"train/{i}.png": picture(COLOURS[label], size=sizes[i % 3]) for i, label in enumerate(names(12))}
    files = {**large, **TEST, "train.csv": LABELS, "sample_submission.csv": SAMPLE}
    found = load("colours", write(tmp_path, files))
    height, width, channels = pixels.picture_shape([name for name in found.train if name.startswith("pixel_")]) or (
        0,
        0,
        0,
    )
    assert max(height, width) <= 64
    assert channels == 3
    assert width > height


@pytest.mark.parametrize(("size", "expected"), [(None, (32, 64, 3)), (20, (10, 20, 3)), (500, (100, 200, 3))])
def test_the_size_is_that_of_the_longer_side_and_no_picture_is_enlarged(
    tmp_path: Path, size: int | None, expected: tuple[int, int, int]
) -> None:
    large = {f"train/{i}.png": picture(COLOURS[label], size=(200, 100)) for i, label in enumerate(names(12))}
    test = {f"test/{i}.png": picture(COLOURS["red"], size=(200, 100)) for i in range(3)}
    folder = write(tmp_path, {**large, **test, "train.csv": LABELS, "sample_submission.csv": SAMPLE})
    found = load("colours", folder, choice=FileChoice(size=size))
    assert pixels.picture_shape(pixels.picture_columns(found.train.columns)) == expected
    assert kpipe.load("colours", folder, size=size).train.equals(found.train)


def test_a_size_that_pictures_cannot_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="size must be from 8 to 512 pixels; got 4"):
        kpipe.load("colours", tmp_path, size=4)


def test_one_broken_picture_is_named_and_no_row_of_test_is_lost(tmp_path: Path) -> None:
    cut = picture(COLOURS["red"], size=(64, 64), end="jpg")
    broken = {"train/0.png": cut[: len(cut) // 2], "test/2.png": b"no picture"}
    found = load("colours", write(tmp_path, LAYOUTS["labels in a file"] | broken))
    assert (len(found.train), len(found.test)) == (11, 3)
    (note,) = [note for note in found.source.notes if "cannot be read" in note]
    assert "2 pictures cannot be read: train/0.png, test/2.png." in note


def test_pictures_that_are_mostly_broken_are_refused(tmp_path: Path) -> None:
    broken = {f"train/{i}.png": b"no picture" for i in range(8)}
    with pytest.raises(DataError, match=r"8 of 15 pictures cannot be read: train/0.png, train/1.png"):
        load("colours", write(tmp_path, LAYOUTS["labels in a file"] | broken))
    assert [*(cache_folder() / "pictures").iterdir()] == []  # no unfinished file is left


def test_a_decompression_bomb_is_a_broken_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    bomb = {"train/0.png": picture(size=(50, 50))}
    found = load("colours", write(tmp_path, LAYOUTS["labels in a file"] | bomb))
    assert any("1 pictures cannot be read: train/0.png" in note for note in found.source.notes)


def test_a_dark_picture_of_16_bits_stays_dark(tmp_path: Path) -> None:
    deep = {f"train/{i}.png": picture(65535 if i % 2 else 200, mode="I;16") for i in range(12)}
    test = {f"test/{i}.png": picture(0, mode="I;16") for i in range(3)}
    found = load("grey", write(tmp_path, {**deep, **test, "train.csv": LABELS, "sample_submission.csv": SAMPLE}))
    assert found.train["pixel_0_0_0"].tolist() == [0, 255] * 6


def test_a_program_under_the_name_of_a_picture_is_not_run(tmp_path: Path) -> None:
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n%%EndComments\nshowpage\n%%EOF\n"
    found = load("colours", write(tmp_path, LAYOUTS["labels in a file"] | {"train/0.png": script}))
    assert any("1 pictures cannot be read: train/0.png" in note for note in found.source.notes)


def test_a_cache_of_which_a_part_is_lost_is_made_again(tmp_path: Path) -> None:
    folder = write(tmp_path, LAYOUTS["labels in a file"])
    first = load("colours", folder)
    for kind in ("files", "shape", "npy"):
        (part,) = [path for path in (cache_folder() / "pictures").iterdir() if path.name.split(".")[1] == kind]
        part.write_bytes(part.read_bytes()[:20])
        pd.testing.assert_frame_equal(load("colours", folder).train, first.train)
        part.unlink()
        pd.testing.assert_frame_equal(load("colours", folder).train, first.train)


def test_a_zip_bomb_inside_a_zip_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_BOMB_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("train.zip", bytes(64 << 20))
    with open_pictures(tmp_path / "all.zip") as folder:
        assert folder.pictures == []


def test_the_order_of_rows_does_not_tell_labels_that_are_in_file_names(tmp_path: Path) -> None:
    labels = names(200)
    files = {f"train/{label}.{i}.png": picture(COLOURS[label]) for i, label in enumerate(labels)}
    found = load("colours", write(tmp_path, {**files, **TEST, "sample_submission.csv": SAMPLE}))
    codes = (found.train["label"] == "red").to_numpy()
    for period in (2, 3, 200):
        groups = np.arange(200) % period if period < 200 else np.arange(200) // 100
        shares = [codes[groups == group].mean() for group in np.unique(groups)]
        assert max(shares) - min(shares) < 0.25


def test_a_sample_without_rows_is_refused(tmp_path: Path) -> None:
    files = LAYOUTS["labels in a file"] | {"sampleSubmission.csv": "id,label\n"}
    with pytest.raises(DataError, match=r"No column of sampleSubmission.csv names the pictures .* It has no rows"):
        load("colours", write(tmp_path, files))


def test_packed_tables_are_not_unpacked_to_look_for_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as made:
        for name in ("train", "test"):
            made.writestr(f"{name}.csv.zip", b"")
    monkeypatch.setattr(picture_files, "_copy", lambda *_, **__: pytest.fail("a packed table was unpacked"))
    with open_pictures(tmp_path / "all.zip") as folder:
        assert folder.pictures == []


def test_rows_of_train_without_a_picture_are_left_out_and_named(tmp_path: Path) -> None:
    files = {name: content for name, content in LAYOUTS["labels in a file"].items() if name != "train/5.png"}
    found = load("colours", write(tmp_path, files))
    assert len(found.train) == 11
    assert any(
        "1 of 12 rows of trainLabels.csv have no picture and are left out: 5." in note for note in found.source.notes
    )


def test_a_row_of_test_without_a_picture_is_refused(tmp_path: Path) -> None:
    files = {name: content for name, content in LAYOUTS["labels in a file"].items() if name != "test/2.png"}
    with pytest.raises(DataError, match=r"1 of 3 rows of sampleSubmission.csv have no picture: 2\."):
        load("colours", write(tmp_path, files))


def test_paths_that_leave_a_zip_are_not_among_its_pictures(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as made:
        for name in ("../up.png", "train/a.png", "__MACOSX/train/._a.png"):
            made.writestr(name, picture())
    with open_pictures(tmp_path / "evil.zip") as folder:
        assert [found.path for found in folder.pictures] == ["train/a.png"]
        assert folder.notes == ("Paths that point outside the archive are ignored (1): ../up.png.",)


def test_tables_beside_a_few_illustrations_stay_tables(tmp_path: Path) -> None:
    table = csv("id,a,label", *(f"{i},{i % 3},{label}" for i, label in enumerate(names(12))))
    files = {
        "train.csv": table,
        "test.csv": csv("id,a", "0,1", "1,2"),
        "sample_submission.csv": csv("id,label", "0,red", "1,red"),
    }
    found = load("table", write(tmp_path, {**files, **{f"docs/figure-{i}.png": picture() for i in range(15)}}))
    assert list(found.train.columns) == ["id", "a", "label"]


def test_a_second_load_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, LAYOUTS["labels in a file"])
    first = load("colours", folder)
    monkeypatch.setattr(pixels, "_decode", lambda *_: pytest.fail("a picture was decoded again"))
    pd.testing.assert_frame_equal(load("colours", folder).train, first.train)
    (folder / "train/0.png").write_bytes(picture(COLOURS["blue"]))
    with pytest.raises(pytest.fail.Exception):
        load("colours", folder)


def test_the_pixels_are_mapped_from_a_file_and_not_copied(tmp_path: Path) -> None:
    found = load("colours", write(tmp_path, LAYOUTS["labels in a file"]))
    block = found.train[pixels.pixel_names(SHAPE)].to_numpy()
    base: Any = block
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base.obj, mmap.mmap)


def test_worker_processes_get_the_pixels_of_each_row(tmp_path: Path) -> None:
    many = {f"train/{i}.png": picture(COLOURS[label], size=(64, 64)) for i, label in enumerate(names(150))}
    labels = csv("id,label", *(f"{i},{label}" for i, label in enumerate(names(150))))
    files = {**many, **TEST, "train.csv": labels, "sample_submission.csv": SAMPLE}
    found = load("colours", write(tmp_path, files))
    shape = pixels.picture_shape([name for name in found.train if name.startswith("pixel_")])
    assert shape == (64, 64, 3)
    frame = found.train[pixels.pixel_names(shape)]
    (sent,) = joblib.Parallel(2, max_nbytes=1000)([joblib.delayed(pd.DataFrame.to_numpy)(frame)])
    np.testing.assert_array_equal(sent, frame.to_numpy())


def test_kaggle_s_pictures_are_read_without_a_word(kaggle_zip: KaggleZip) -> None:
    found = load("cifar-10", kaggle_zip("cifar-10"))
    assert (len(found.train), len(found.test), found.train["label"].nunique()) == (6000, 2000, 10)
    dogs = load("dogs", kaggle_zip("dogs-vs-cats-redux-kernels-edition"))
    assert dogs.train["label"].value_counts().to_dict() == {"cat": 1500, "dog": 1500}


def test_columns_beside_the_pictures_have_models_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0)
    ages = [f"{(label == 'red') + noise.normal():.3f}" for label in names(80)]
    files = {
        **{f"train/{i}.png": picture(tuple(noise.integers(0, 255, 3))) for i in range(80)},
        **TEST,
        "train.csv": csv("id,age,label", *(f"{i},{ages[i]},{label}" for i, label in enumerate(names(80)))),
        "test.csv": csv("id,age", "0,1.5", "1,-1", "2,0.1"),
        "sample_submission.csv": SAMPLE,
    }
    options = {"data": write(tmp_path / "data", files), "folds": 2, "jobs": 1}
    problem = pipeline.prepare(RunRequest("colours", **options))
    assert problem.default == ("photo-net", "boosting", "linear")
    net = model("photo-net", shape=SHAPE, epochs=1, min_steps=1)(Context(task="classification", n_classes=2))
    assert net.fit(problem.X, problem.y).n_features_in_ == 6 * 8 * 3
    run = kpipe.run("colours", out=tmp_path / "out", models=["boosting", "linear"], **options)
    assert len(pd.read_csv(run.path / "submission.csv")) == 3
    assert "picture: bytes" in run.record["columns_left_out"]
    print_run(run, json=False, quiet=False)
    assert "picture: bytes" not in capsys.readouterr().out  # no column of the competition's files
