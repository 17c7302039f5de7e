"""The settings that decide numbers belong to the project, whatever folder and shell a command runs in."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from projections.playbook import DEFAULT_PLAYBOOK
from schemas.errors import BatonError, ExitCode
from streams.cli.main import baton
from streams.project import Project

OWN = DEFAULT_PLAYBOOK.read_text(encoding="utf-8") + "\n# our own\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project's folder with a playbook of its own, and one beside it with another."""
    for name, text in (("ours", OWN), ("theirs", OWN + "# theirs\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "playbook.toml").write_text(text, encoding="utf-8")
    (tmp_path / "empty").mkdir()
    return tmp_path / "ours"


def seen_from(folder: Path, home: Path, **settings: str) -> Project:
    return Project.here({"BATON_HOME": str(home), **settings}, folder)


def started(folder: Path, **settings: str) -> Project:
    project = Project.here(settings, folder)
    project.make_folders()
    project.record_settings()
    return project


def test_from_another_folder_the_project_s_own_playbook_is_used(folder: Path) -> None:
    home = started(folder).home
    assert seen_from(folder.parent / "empty", home).playbook_file == folder / "playbook.toml"


def test_another_playbook_in_the_current_folder_is_refused_with_both_named(folder: Path) -> None:
    home = started(folder).home
    theirs = folder.parent / "theirs"
    with pytest.raises(BatonError, match="started with another playbook.toml") as caught:
        _ = seen_from(theirs, home).playbook_file
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert (
        f"{folder / 'playbook.toml'}" in caught.value.why
        and f"{theirs / 'playbook.toml'}" in caught.value.why
    )
    # What it advises works.
    setting, _, value = caught.value.next_command.removeprefix("export ").split()[0].partition("=")
    assert seen_from(theirs, home, **{setting: value}).playbook_file == folder / "playbook.toml"


def test_a_copy_of_the_same_playbook_is_no_other(folder: Path) -> None:
    home = started(folder).home
    (folder.parent / "theirs" / "playbook.toml").write_text(OWN, encoding="utf-8")
    assert seen_from(folder.parent / "theirs", home).playbook_file == folder / "playbook.toml"


def test_a_project_started_with_the_packaged_playbook_takes_no_stranger_s(folder: Path) -> None:
    home = started(folder.parent / "empty").home
    with pytest.raises(BatonError, match="another playbook.toml"):
        _ = seen_from(folder, home).playbook_file
    assert seen_from(folder.parent, home).playbook_file == DEFAULT_PLAYBOOK


def test_a_playbook_that_is_put_into_the_project_s_folder_later_counts_everywhere(folder: Path) -> None:
    empty = folder.parent / "empty"
    home = started(empty).home
    (empty / "playbook.toml").write_text(OWN, encoding="utf-8")
    assert Project.here({}, empty).playbook_file == empty / "playbook.toml"
    assert seen_from(folder.parent, home).playbook_file == empty / "playbook.toml"


def test_a_playbook_that_is_gone_is_not_replaced_by_the_packaged_one(folder: Path) -> None:
    project = started(folder)
    (folder / "playbook.toml").unlink()
    with pytest.raises(BatonError, match="playbook.toml is gone") as caught:
        _ = project.playbook_file
    assert caught.value.where == str(folder / "playbook.toml")


def test_the_keys_are_the_project_s_too(folder: Path) -> None:
    (folder / "keys.toml").write_text("# ours\n")
    home = started(folder).home
    elsewhere = folder.parent / "empty"
    assert seen_from(elsewhere, home).keys_file == folder / "keys.toml"
    (elsewhere / "keys.toml").write_text("# others\n")
    with pytest.raises(BatonError, match="another keys.toml"):
        _ = seen_from(elsewhere, home).keys_file
    (folder / "keys.toml").unlink()
    assert seen_from(folder, home).are_keys_named, "without them no signature would count, silently"


def test_the_registry_is_the_project_s_and_its_login_is_not_recorded(folder: Path) -> None:
    project = started(folder, BATON_SCHEMA_REGISTRY="https://ana:hunter2@registry.example.com")
    assert project.registry_address == "https://ana:hunter2@registry.example.com"
    assert "hunter2" not in project.recorded_file.read_text()
    assert Project.here({}, folder).registry_address == "https://registry.example.com"
    other = Project.here({"BATON_SCHEMA_REGISTRY": "https://ana:hunter2@other.example.com"}, folder)
    with pytest.raises(BatonError, match="another schema registry") as caught:
        _ = other.registry_address
    assert "hunter2" not in str(caught.value)


def test_a_project_that_was_moved_finds_its_files_beside_it(folder: Path) -> None:
    (folder / "keys.toml").write_text("# ours\n")
    started(folder)
    moved = folder.rename(folder.parent / "moved")
    elsewhere = seen_from(folder.parent / "empty", moved / ".baton")
    assert elsewhere.playbook_file == moved / "playbook.toml"
    assert elsewhere.keys_file == moved / "keys.toml"


def test_a_playbook_that_cannot_be_read_is_not_adopted(folder: Path) -> None:
    project = started(folder)
    theirs = folder.parent / "theirs"
    (theirs / "playbook.toml").write_text("not = [toml")
    env = {"BATON_HOME": str(project.home), "BATON_PLAYBOOK": str(theirs / "playbook.toml")}
    run = CliRunner().invoke(baton, ["up", "--adopt-settings"], env=env)
    assert isinstance(run.exception, BatonError) and "playbook.toml" in str(run.exception)
    assert seen_from(folder.parent / "empty", project.home).playbook_file == folder / "playbook.toml"
