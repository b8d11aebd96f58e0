from __future__ import annotations

import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from hybridlesion.cnn import TimmEmbedder, embed
from hybridlesion.cnn.backbone import load_network
from hybridlesion.cnn.views import ImageView
from hybridlesion.exceptions import ArtifactError, ImageError, SourceError


@pytest.fixture(scope="module")
def embedder(tiny_weights):
    """The tiny embedder, fitted."""
    return TimmEmbedder("test_efficientnet", weights=tiny_weights, device="cpu").fit()


def test_width_names_and_digest_are_known_without_images(embedder):
    assert embedder.n_features_out_ == 256
    names = embedder.get_feature_names_out()
    assert [names[0], names[255], len(names)] == ["emb__0000", "emb__0255", 256]
    assert len(embedder.weights_digest_) == 64


def test_rows_do_not_depend_on_the_calls(embedder, images):
    frames, masks = images
    whole = embedder.transform(frames, masks)
    assert whole.shape == (11, 256)
    cuts = [slice(0, 1), slice(1, 10), slice(10, 11)]
    parts = [embedder.transform(frames[cut], masks[cut]) for cut in cuts]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(embedder.transform(iter(frames), iter(masks)), whole)


def test_masks_decide_what_is_seen(embedder, images):
    frames, masks = images
    lesion, frame = embedder.transform(frames, masks), embedder.transform(frames)
    differs = (lesion != frame).any(axis=1)
    assert differs.tolist() == [i != 2 for i in range(11)]  # the third mask is empty
    whole = clone(embedder).set_params(crop="frame").fit()
    assert np.array_equal(whole.transform(frames, masks), frame)
    some = [None if i else mask for i, mask in enumerate(masks)]
    assert np.array_equal(embedder.transform(frames, some)[1:], frame[1:])


def test_flips_average_an_image_with_its_mirror_image(embedder, images):
    # lesions that fill their square frame: both windows are the frame
    frames = [frame[:100, :100] for frame in images[0]]
    mirrored = [frame[:, ::-1] for frame in frames]
    masks = [np.ones((100, 100), dtype=bool)] * len(frames)
    both = clone(embedder).set_params(flips=True).fit()
    expected = (embedder.transform(frames, masks) + embedder.transform(mirrored, masks)) / 2
    np.testing.assert_allclose(both.transform(frames, masks), expected, rtol=1e-4, atol=1e-2)
    assert both.transform([]).shape == (0, 256)


def test_an_image_is_cropped_once_for_both_orientations(embedder, images, monkeypatch):
    frames, masks = images
    prepare, cropped = ImageView.prepare, []

    def count(view, *arguments):
        cropped.append(view)
        return prepare(view, *arguments)

    monkeypatch.setattr(ImageView, "prepare", count)
    seen = []
    monkeypatch.setattr(embedder, "batch_size", 1)
    views = [ImageView("lesion", 0.25, mirrored) for mirrored in (False, True)]
    network = load_network("test_efficientnet", embedder.weights, "cpu")
    for block in embedder._blocks(zip(frames, masks, strict=True), views, network):
        seen.extend(block)
    assert len(cropped) == len(frames)
    for frame, mask, upright, mirrored in zip(frames, masks, seen[::2], seen[1::2], strict=True):
        for view, pixels in zip(views, (upright, mirrored), strict=True):
            assert np.array_equal(pixels, prepare(view, frame, mask, network.spec))


def test_embed_is_the_same_in_one_call(embedder, images, tiny_weights):
    rows = embed(*images, model="test_efficientnet", weights=tiny_weights, device="cpu")
    assert np.array_equal(rows, embedder.transform(*images))


def test_pickle_is_small_and_gives_the_same_rows_in_a_new_process(embedder, images, tmp_path):
    (tmp_path / "embedder.pkl").write_bytes(pickle.dumps(embedder))
    assert (tmp_path / "embedder.pkl").stat().st_size < 2000
    np.save(tmp_path / "image.npy", images[0][0])
    code = (
        "import pickle, sys, numpy as np; from pathlib import Path; p = Path(sys.argv[1]);"
        "e = pickle.loads((p / 'embedder.pkl').read_bytes());"
        "np.save(p / 'row.npy', e.transform([np.load(p / 'image.npy')]))"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(tmp_path)], check=True)
    assert np.array_equal(np.load(tmp_path / "row.npy"), embedder.transform(images[0][:1]))


def test_set_output_gives_named_columns(embedder, images):
    table = clone(embedder).set_output(transform="pandas").fit().transform(images[0][:2])
    assert list(table.columns) == list(embedder.get_feature_names_out())


def test_changed_weights_are_refused_until_fitted_again(tiny_backbone, tiny_weights, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "w.safetensors"
    shutil.copy(tiny_weights, path)
    embedder = TimmEmbedder("test_efficientnet", weights=path, device="cpu").fit()
    state = {name: value.clone() for name, value in tiny_backbone.state_dict().items()}
    state["conv_stem.weight"] += 1
    save_file(state, path)
    with pytest.raises(ArtifactError, match="not those this embedder was fitted with"):
        embedder.transform([])
    assert embedder.fit().transform([]).shape == (0, 256)


def test_weights_that_are_not_finite_are_refused(tiny_backbone, tmp_path, images):
    import torch

    state = {name: value.clone() for name, value in tiny_backbone.state_dict().items()}
    state["bn1.bias"][:] = float("nan")
    torch.save(state, tmp_path / "w.pth")
    embedder = TimmEmbedder("test_efficientnet", weights=tmp_path / "w.pth", device="cpu").fit()
    with pytest.raises(ArtifactError, match="not finite"):
        embedder.transform(images[0][:1])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"crop": "lesions"}, "Did you mean 'lesion'"),
        ({"batch_size": 0}, "batch_size must be a whole number at least 1"),
        ({"margin": -0.1}, "margin must be"),
        ({"device": "gpu"}, "device must be"),
        ({"model": "test_efficientnett"}, r"Nearest: .*test_efficientnet"),
    ],
)
def test_wrong_parameters_are_refused_by_fit(tiny_weights, parameters, message):
    settings = {"model": "test_efficientnet", "weights": tiny_weights, "device": "cpu"}
    with pytest.raises(ValueError, match=message):
        TimmEmbedder(**(settings | parameters)).fit()


def test_missing_weight_file_is_named_by_fit(tmp_path):
    with pytest.raises(SourceError, match=r"gone\.pth is not there"):
        TimmEmbedder("test_efficientnet", weights=tmp_path / "gone.pth", device="cpu").fit()


def test_wrong_images_and_masks_are_refused(embedder, images):
    frames, masks = images
    with pytest.raises(ImageError, match="uint8"):
        embedder.transform([frames[0] / 255.0])
    with pytest.raises(ImageError, match="same size"):
        embedder.transform([frames[0]], [masks[1]])
    with pytest.raises(ValueError, match="11 images and 2 masks"):
        embedder.transform(frames, masks[:2])


def test_transform_before_fit_is_refused(images):
    with pytest.raises(NotFittedError):
        TimmEmbedder().transform(images[0])


@pytest.mark.real
def test_shared_weights_agree_with_the_plain_timm_loop(real_weights, real_data):
    from hybridlesion._optional_imports import import_timm
    from hybridlesion.io import read_image

    timm = import_timm()
    import torch
    from PIL import Image

    files = sorted((real_data / "isic2017-hires" / "images").iterdir())[:2]
    frames = [read_image(file) for file in files]
    model = timm.create_model(
        "mobilenetv2_100",
        pretrained=True,
        num_classes=0,
        pretrained_cfg_overlay={"file": str(real_weights), "hf_hub_id": None, "url": ""},
    ).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    with torch.inference_mode():
        plain = model(torch.stack([transform(Image.fromarray(f)) for f in frames])).numpy()
    rows = embed(frames, weights=real_weights, device="cpu", crop="frame")
    cosine = (rows * plain).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(plain, axis=1)
    assert cosine.min() > 0.99  # OpenCV averages where Pillow weighs bicubically
