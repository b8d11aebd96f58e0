"""What the README shows works as it stands."""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

import hybridlesion
from hybridlesion import __version__, read_image
from hybridlesion.cli import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *ROOT.glob("*/README.md")]
PAGES += (ROOT / "hybridlesion").rglob("*CARD.md")
PAGES = sorted(set(PAGES))
COMMANDS = [
    line for line in README.splitlines() if line.startswith("hybridlesion ") and "--" in line
]


def _command_lines(text):
    """Words of every command in a fenced or an indented block, without remarks."""
    text = text.replace("\\\n", " ")
    fenced = "".join(re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL))
    lines = re.findall(r"^hybridlesion .*", fenced, flags=re.MULTILINE)
    lines += re.findall(r"^ {4}(hybridlesion .*)", text, flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


SHOWING = [path for path in PAGES if _command_lines(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", SHOWING, ids=lambda path: path.name)
def test_commands_and_their_options_exist(page):
    commands = get_command(app).commands
    for words in _command_lines(page.read_text(encoding="utf-8")):
        assert words[1] in commands, words
        known = {name for one in commands[words[1]].params for name in one.opts}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= known, f"{page.name}: {words[1]} has no {given - known}"


def test_command_lines_are_read_from_both_kinds_of_blocks():
    text = """Prose is left out:
hybridlesion turns photographs into scores.

```sh
hybridlesion fit a.parquet \\
    --out m.joblib   # a remark
```

    hybridlesion score m.joblib "new images"
"""
    assert _command_lines(text) == [
        ["hybridlesion", "fit", "a.parquet", "--out", "m.joblib"],
        ["hybridlesion", "score", "m.joblib", "new images"],
    ]


def test_pages_that_show_commands_are_found():
    assert {"README.md", "score.md", "tutorial.md", "scale.md"} <= {one.name for one in SHOWING}


def test_every_page_stands_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    names = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md"]
    assert [name for name in names if f"]({name})" not in index] == []


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in text
    assert "\nlicense: MIT\n" in text


def test_the_three_main_commands_are_shown():
    assert [line.split()[1] for line in COMMANDS] == ["features", "fit", "score"]


def _anchors(text):
    """Anchors of a page's headings, as its readers' software makes them."""
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_placeholder_is_left(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.findall(r"^[A-Z_]{4,}$", text, flags=re.MULTILINE) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for link, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", text):
        target = page.parent / link if link else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target.read_text(encoding="utf-8")), f"{link}#{anchor}"


def test_pages_lead_to_no_file_of_the_package_but_the_cards():
    # The site is built without the source of the package; conf.py takes the cards from the wheel.
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/*.md")]:
        text = page.read_text(encoding="utf-8")
        links = re.findall(r"(?:\]\(|<)[./]*(hybridlesion/[\w/.]+)", text)
        assert [link for link in links if not re.search(r"CARD(\.md)?$", link)] == [], page


@pytest.fixture(scope="module")
def api():
    """Load the module that writes the pages of the API."""
    spec = importlib.util.spec_from_file_location("api", ROOT / "docs" / "api_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def api_pages(api, tmp_path_factory):
    api.FOLDER = tmp_path_factory.mktemp("api") / "api"
    api.write_pages()
    return {path.stem: path.read_text(encoding="utf-8") for path in api.FOLDER.iterdir()}


def test_every_public_name_is_on_one_page_of_the_api(api, api_pages):
    names = api.public_names()
    grouped = [one for _, packages in api.GROUPS.values() for one in packages.split()]
    assert len(grouped) == len(set(grouped))
    assert {package for package, found in names.items() if found} <= set(grouped)
    listed = re.findall(r"^\.\. \S+:: (hybridlesion\.\S+)$", "\n".join(api_pages.values()), re.M)
    assert sorted(listed) == sorted(name for found in names.values() for name in found)
    objects = {id(api._resolve(name)) for name in listed}
    for package in names:
        module = importlib.import_module(f"hybridlesion.{package}")
        assert {id(getattr(module, name)) for name in module.__all__} <= objects, package


def test_the_index_of_the_api_holds_the_main_names(api_pages):
    for name in hybridlesion.__all__:
        if name != "__version__":
            assert f"\n   {name}\n" in api_pages["index"]
    assert ".. autofunction:: hybridlesion.segment\n" in api_pages["segmentation"]


def test_the_api_shows_no_addresses_or_folders_of_a_machine(api_pages):
    for text in api_pages.values():
        assert not re.search(r" at 0x[0-9a-f]+", text)
        assert str(ROOT) not in text


def test_groups_of_the_feature_catalogue_get_pictures(tmp_path):
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "feature_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.FOLDER = tmp_path / "api"
    module.write_pictures()
    page = module.add_pictures((ROOT / "docs" / "features.md").read_text(encoding="utf-8"))
    shown = re.findall(r"^## (\w+) \(\d+\)\n\n!\[.+\]\(api/(\S+)\)$", page, re.M)
    assert [family for family, _ in shown] == ["Asymmetry", "Border", "Color", "Structure", "Score"]
    assert {name for _, name in shown} == {path.name for path in module.FOLDER.iterdir()}
    for _, name in shown:
        assert read_image(module.FOLDER / name).std() > 10


@pytest.fixture(scope="module")
def offline():
    """Load the module that checks the pages of the site."""
    spec = importlib.util.spec_from_file_location("offline", ROOT / "docs" / "offline.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_broken_links_are_found(offline, tmp_path):
    (tmp_path / "a.html").write_text(
        """<h1 id="top">A</h1> <a href="#top">1</a> <a href="b.html#x%20y">2</a> <a href=".">3</a>
        <a href="https://a.example/x">4</a> <a href="#low">5</a> <img src="x.png"> <a href="#">6</a>
        <a href="b.html#z">7</a> <a href="c/b.html">8</a>"""
    )
    (tmp_path / "b.html").write_text('<p id="x y">B</p>')
    (tmp_path / "index.html").write_text("")
    lost = ["#low", "b.html#z", "c/b.html", "x.png"]
    assert offline.broken_links(tmp_path) == [f"a.html: {link}" for link in lost]


def test_what_a_page_loads_from_other_hosts_is_found(offline):
    text = """<script async src="https://a.example/x.js"></script><a href="https://b.example">b</a>
    <link rel="stylesheet" href="//c.example/x.css"><img src="_static/x.png">
    <style>@import "http://d.example/x.css"; p { src: url('https://e.example/x.woff') }</style>"""
    found = [address.split("/")[2] for address in offline.other_hosts(text)]
    assert found == ["a.example", "c.example", "d.example", "e.example"]


def test_every_card_of_fitted_files_is_linked():
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    cards = list((ROOT / "hybridlesion").rglob("*CARD.md"))
    assert len(cards) == 4
    for card in cards:
        assert f"](../{card.relative_to(ROOT).as_posix()})" in page
    fitted = [ROOT / "hybridlesion" / "features" / "perception.json"]
    for suffix in ("joblib", "safetensors", "onnx", "zip"):
        fitted += (ROOT / "hybridlesion").rglob(f"*.{suffix}")
    # Graphs of docs/make_graphs.py hold no weights: these are supplied when they are loaded.
    fitted = [path for path in fitted if b"supplied" not in path.read_bytes()]
    assert len(fitted) == 5
    assert [path.name for path in fitted if f"`{path.name}`" not in page] == []


def test_the_slim_installation_lacks_torch_and_timm_only():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    listed = (ROOT / "docs" / "slim.txt").read_text().splitlines()[1:]
    assert listed == [one for one in wanted if not one.startswith(("torch", "timm"))]
