"""Which commit a record says that its numbers are of."""

from __future__ import annotations

import subprocess

from recbole_delta.bench.runs import one


def git(folder, *arguments):
    names = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    done = subprocess.run(["git", *names, *arguments], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_changed_code_is_of_no_commit_and_a_changed_bench_file_is_no_code(tmp_path, monkeypatch):
    code, bench = tmp_path / "recbole_delta" / "bench" / "one.py", tmp_path / "results" / "a.yaml"
    for path in (code, bench):
        path.parent.mkdir(parents=True)
        path.write_text("as committed")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    monkeypatch.setattr(one, "__file__", str(code))
    commit = git(tmp_path, "rev-parse", "--short=12", "HEAD")
    assert one._revision() == commit
    bench.write_text("changed")
    assert one._revision() == commit
    code.write_text("changed")
    assert one._revision() == f"{commit}-dirty"


def test_outside_of_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(one, "__file__", str(tmp_path / "one.py"))
    assert one._revision() is None
