"""The page that a package index shows, and the links of all pages."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
import tomllib
from pathlib import Path

import pytest

import quickpickle

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.M | re.S)


@pytest.fixture(scope="module")
def metadata():
    return importlib.metadata.metadata("quickpickle")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_version_has_one_source(metadata, project):
    assert "version" not in project
    assert metadata["Version"] == quickpickle.__version__
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"\n## {quickpickle.__version__}," in changes


def test_the_page_of_a_package_index_has_no_relative_links(metadata, project):
    page = metadata.get_payload() or metadata["Description"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    base = project["urls"]["Repository"]
    links = LINK.findall(page)
    ours = [link.removeprefix(base + "/") for link in links if link.startswith(base)]
    assert all(link.startswith(("https://", "#")) for link in links)
    assert f"raw/v{quickpickle.__version__}/docs/speed.svg" in ours
    for link in ours:
        _, _, path = link.split("/", 2)
        assert (ROOT / path.partition("#")[0]).exists(), link


def test_who_and_where(metadata, project):
    shown = dict(url.split(", ", 1) for url in metadata.get_all("Project-URL"))
    assert shown == project["urls"]
    assert metadata["Maintainer"]
    for word in ("drop-in", "atomic", "thread-safe", "recursion limit", "deterministic"):
        assert word in metadata["Keywords"]


def anchors(page):
    """Those that a heading has on GitHub, and in the site."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links(page):
    text = CODE.sub("", page.read_text("utf-8"))
    for link in LINK.findall(text):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.fixture
def release(tmp_path):
    """The problems that tools/check-release finds, in a copy of the files that it looks at."""
    check = runpy.run_path(str(ROOT / "tools" / "check-release"))
    for name in [*check["SHOWN"], "CHANGELOG.md", "src/quickpickle/__init__.py"]:
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((ROOT / name).read_text("utf-8"), "utf-8")

    def problems(tag=f"v{quickpickle.__version__}"):
        return " ".join(check["problems"](tmp_path, tag))

    return problems, tmp_path


def test_a_release_needs_its_address(release):
    problems, folder = release
    for name in ("pyproject.toml", "SECURITY.md", ".github/ISSUE_TEMPLATE/config.yml"):
        page = folder / name
        if "example.org/quickpickle" in page.read_text("utf-8"):
            assert f"{name}: example.org/quickpickle stands for" in problems()
        page.write_text(f"{page.read_text('utf-8')}\n# example.org/quickpickle\n", "utf-8")
        assert f"{name}: example.org/quickpickle stands for" in problems()
        page.write_text(page.read_text("utf-8").replace("example.org", "host.invalid"), "utf-8")
        assert f"{name}:" not in problems()


def test_the_address_has_one_source(release):
    """tools/generate writes it into all other files; tests/test_architecture.py calls it."""
    _, folder = release
    generate = runpy.run_path(str(ROOT / "tools" / "generate"))
    page = folder / "pyproject.toml"
    address = "https://host.invalid/people/quickpickle"
    text = re.sub(r'(?m)^Repository = ".*"$', f'Repository = "{address}"', page.read_text("utf-8"))
    page.write_text(text, "utf-8")
    for path in generate["with_addresses"](ROOT):
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if copy != page:
            copy.write_text(path.read_text("utf-8"), "utf-8")
    made = generate["with_addresses"](folder)
    assert len(made) > 8
    old = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    for path, text in made.items():
        assert address in text, path
        assert old["Repository"] not in text, path
    assert "example.org" not in made[folder / "SECURITY.md"]
    urls = tomllib.loads(made[page])["project"]["urls"]
    assert all(url.startswith(address) for url in urls.values())
    assert urls["Issues"] == f"{address}/issues"


def test_a_release_needs_its_tag_and_its_date(release):
    problems, folder = release
    assert "the tag is v0.0.1" in problems("v0.0.1")
    assert "the tag" not in problems()
    page = folder / "CHANGELOG.md"
    heading = f"## {quickpickle.__version__}, "
    page.write_text(f"{heading}not yet released\n", "utf-8")
    assert "has no date" in problems()
    page.write_text(f"{heading}2027-01-31\n", "utf-8")
    assert "has no date" not in problems()
