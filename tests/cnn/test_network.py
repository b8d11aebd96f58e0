from __future__ import annotations

import copy

import numpy as np
import pytest

from hybridlesion.cnn.backbone import CPU_BLOCK, Network, load_network


@pytest.fixture(scope="module")
def network(tiny_weights):
    """The tiny backbone, frozen for the CPU."""
    return load_network("test_efficientnet", tiny_weights)


@pytest.fixture(scope="module")
def pixels(network):
    """Twenty prepared images of noise."""
    shape = (20, *network.spec.size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def starved(tiny_backbone, monkeypatch):
    """A network on a pretended GPU that holds at most two images."""
    import torch

    network = Network(copy.deepcopy(tiny_backbone), "cpu")
    plain = copy.deepcopy(tiny_backbone)
    network.device, network._largest, network.sizes = "cuda:0", None, []

    def forward(pixels):
        network.sizes.append(len(pixels))
        if len(pixels) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return plain(network._normalised(torch.from_numpy(pixels)))

    monkeypatch.setattr(network, "_forward", forward)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    return network


def _difference(rows, others):
    """Largest relative difference between two sets of rows."""
    return (np.linalg.norm(rows - others, axis=1) / np.linalg.norm(others, axis=1)).max()


def test_rows_agree_with_the_plain_model(network, tiny_backbone, pixels):
    import torch

    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (network.spec.mean, network.spec.std))
    values = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / std
    with torch.inference_mode():
        expected = tiny_backbone(values).numpy()
    rows = network.rows([pixels])
    assert rows.dtype == np.float32
    assert _difference(expected[1:], expected[:-1]) > 1e-3  # the images are told apart at all
    assert _difference(rows, expected) < 1e-4


@pytest.mark.parametrize("cuts", [[1], [3, 11], [8, 16], [5, 6, 19]])
def test_rows_do_not_depend_on_the_blocks(network, pixels, cuts):
    assert np.array_equal(network.rows(np.split(pixels, cuts)), network.rows([pixels]))


def test_rows_do_not_depend_on_their_neighbours(network, pixels):
    order = np.random.default_rng(1).permutation(len(pixels))
    assert np.array_equal(network.rows([pixels[order]]), network.rows([pixels])[order])


def test_rows_do_not_depend_on_the_threads(network, pixels):
    import torch

    rows, threads = network.rows([pixels]), torch.get_num_threads()
    try:
        torch.set_num_threads(2 if threads == 1 else 1)
        assert np.array_equal(network.rows([pixels]), rows)
    finally:
        torch.set_num_threads(threads)


def test_no_images_give_no_rows(network):
    assert network.rows([]).shape == (0, network.n_features)


def test_the_cpu_has_one_block_size(network):
    assert {network.block_size(n) for n in (1, 32, 1000)} == {CPU_BLOCK}


def test_out_of_memory_halves_the_batch_and_goes_on(starved, network, pixels):
    rows = starved.rows([pixels[:8]], batch_size=8)
    assert starved.sizes == [8, 4, 2, 2, 2, 2]
    assert starved.block_size(8) == 2
    assert _difference(rows, network.rows([pixels[:8]])) < 1e-4


def test_a_single_image_that_does_not_fit_is_refused(starved, monkeypatch, pixels):
    import torch

    def full(pixels):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(starved, "_forward", full)
    with pytest.raises(MemoryError, match="device='cpu'"):
        starved.rows([pixels[:4]], batch_size=4)


def test_a_model_that_cannot_be_traced_runs_as_it_is(tiny_backbone, monkeypatch, network, pixels):
    import torch

    def refuse(*args, **kwargs):
        raise RuntimeError("cannot be traced")

    monkeypatch.setattr(torch.jit, "trace", refuse)
    plain = Network(copy.deepcopy(tiny_backbone), "cpu")
    assert _difference(plain.rows([pixels]), network.rows([pixels])) < 1e-4


def test_a_loaded_network_is_shared_until_its_file_changes(tiny_backbone, tmp_path):
    import torch

    path = tmp_path / "w.pth"
    torch.save(tiny_backbone.state_dict(), path)
    first = load_network("test_efficientnet", path)
    assert load_network("test_efficientnet", str(path)) is first
    changed = {name: value + 1 for name, value in tiny_backbone.state_dict().items()}
    torch.save({"state_dict": changed}, path)
    assert load_network("test_efficientnet", path).digest != first.digest
