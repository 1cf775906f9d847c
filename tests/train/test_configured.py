"""What `surveil check` says of rules `classified` and of the classifiers they name."""

import pytest

from surveil.config import load
from surveil.errors import ConfigError
from surveil.features.classify.preprocess import CropPreprocess
from surveil.features.classify.store import ClassifierStore
from surveil.offline.classify import dataset
from surveil.offline.classify.prepared import Options
from surveil.offline.classify.trainer import train
from tests.train.pictures import fill

CONFIG = """\
version: 1
state_dir: {state}
cameras:
  yard:
    url: x
    zones: {{door: [[0, 0], [1, 0], [1, 1]]}}
    rules:
      - {{type: classified, {rule}}}
"""


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    folder = tmp_path_factory.mktemp("configured")
    options = Options(variations=0, threads=1, preprocess=CropPreprocess(size=32))
    trained = train(dataset.load(fill(folder / "set", 12)), folder / "shapes.onnx", options)
    ClassifierStore(folder / "state", "shapes").deploy(trained.path)
    return folder / "state"


def loaded(tmp_path, state, rule):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(state=state, rule=rule))
    return load(path)


def refused(tmp_path, state, rule):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, state, rule)
    return [message.split("config.yaml:")[1] for message in caught.value.messages]


def test_a_deployed_classifier_and_its_class_are_no_matter_for_a_warning(tmp_path, state):
    rules = loaded(tmp_path, state, "model: shapes, class: disc").cameras["yard"].rules
    (rule,) = (rule for rule in rules if rule.type == "classified")
    assert (rule.model, rule.class_, rule.on) == ("shapes", "disc", "frame")
    assert loaded(tmp_path, state, "model: shapes, class: disc").warnings == ()


def test_a_class_that_the_deployed_classifier_does_not_know_is_refused(tmp_path, state):
    assert refused(tmp_path, state, "model: shapes, class: dics") == [
        "8: cameras.yard.rules[0].class: the classifier 'shapes' has no class 'dics', did you mean 'disc'?"
    ]


def test_a_classifier_that_is_not_deployed_is_a_warning_since_it_may_come_later(tmp_path, state):
    (warning,) = loaded(tmp_path, state, "model: shape, class: disc").warnings
    assert "cameras.yard.rules[0].model: no classifier 'shape' is deployed" in warning
    assert "did you mean 'shapes'?" in warning
    (warning,) = loaded(tmp_path, tmp_path, "model: shape, class: disc").warnings
    assert "`surveil models deploy` puts it into use" in warning


def test_a_damaged_classifier_is_a_warning_that_names_the_file(tmp_path):
    folder = tmp_path / "classifiers" / "shapes"
    folder.mkdir(parents=True)
    (folder / "0001.onnx").write_bytes(b"no model")
    (folder / "current").write_text("0001.onnx\n")
    (warning,) = loaded(tmp_path, tmp_path, "model: shapes, class: disc").warnings
    assert "the rule is inactive" in warning
    assert "damaged" in warning


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("model: shapes, class: disc, on: zone", "8: cameras.yard.rules[0]: `on: zone` needs a 'zone'"),
        ("model: shapes, class: disc, zone: door",
         "8: cameras.yard.rules[0]: 'zone' applies only with `on: zone`"),
        ("model: shapes, class: disc, on: zone, zone: dor",
         "8: cameras.yard.rules[0].zone: unknown zone 'dor', did you mean 'door'?"),
        ("model: shapes, class: disc, on: object",
         "8: cameras.yard.rules[0].on: must be 'frame', 'zone' or 'track', not 'object'"),
    ],
)  # fmt: skip
def test_what_a_rule_is_to_look_at_is_checked(tmp_path, state, rule, said):
    assert refused(tmp_path, state, rule) == [said]
