"""Images to masks."""

from __future__ import annotations

from hybridlesion.io import image_size, read_mask


def test_masks_have_the_size_of_the_images(hybridlesion, lesions, tmp_path):
    out = tmp_path / "masks"
    result = hybridlesion("segment", lesions / "images", "--out", out, "--overlay", "--jobs", 1)
    assert result.exit_code == 0, result.output
    masks = sorted(path.name for path in out.glob("*_segmentation.png"))
    assert len(masks) == len(list(out.glob("*_overlay.jpg"))) == 39
    assert masks[0] == "SYN_0000_segmentation.png"
    source = str(lesions / "images" / "SYN_0000.png")
    mask = read_mask(str(out / masks[0]))
    assert mask.shape == image_size(source)
    assert 0.03 < mask.mean() < 0.6
    assert "39 masks, 1 failed" in result.stdout.splitlines()[-1]


def test_a_table_whose_column_of_paths_is_named(hybridlesion, lesions, tmp_path):
    (lesions / "named.csv").write_text("where,age\nimages/SYN_0000.png,999\n")
    arguments = (lesions / "named.csv", "--out", tmp_path / "masks", "--jobs", 1)
    refused = hybridlesion("segment", *arguments)
    assert refused.exit_code == 1
    assert "--path-column" in refused.stderr
    result = hybridlesion("segment", *arguments, "--path-column", "where")
    assert result.exit_code == 0, result.output
    assert ": 1 mask, 0 failed" in result.stdout
    folder = (lesions / "images", "--out", tmp_path / "masks", "--path-column", "where")
    assert "is not a table. Leave out --path-column" in hybridlesion("segment", *folder).stderr
