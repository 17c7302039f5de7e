"""Progress bars: they never go back, and do not stand at the end while something else goes on."""

from __future__ import annotations

from streams.cli.output import advancing, progress


def test_a_bar_never_goes_back_and_says_what_comes_after_its_end() -> None:
    with progress() as bar:
        advance = advancing(bar, "replaying the log", then="comparing the tables")
        seen = []
        # More turns up on the way, and a second replay begins at nothing.
        for done, total in (
            (0, 0),
            (10, 100),
            (50, 100),
            (60, 200),
            (150, 200),
            (200, 200),
            (0, 10),
            (5, 10),
        ):
            advance(done, total)
            [task] = bar.tasks
            seen.append((task.description, task.completed if task.total else None))

    shares = [share for words, share in seen if words == "replaying the log" and share is not None]
    assert shares == [0.1, 0.5, 0.5, 0.75]
    assert seen[5:] == [("comparing the tables", None)] * 3, "which has no measure, and is not replayed again"


def test_each_step_has_a_line_of_its_own() -> None:
    with progress() as bar:
        publish, read = advancing(bar, "publishing"), advancing(bar, "reading")
        publish(10, 10)
        read(3, 12)
    assert [(task.description, task.completed) for task in bar.tasks] == [
        ("publishing", 1.0),
        ("reading", 0.25),
    ]
