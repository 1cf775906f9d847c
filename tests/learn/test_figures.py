import numpy as np
import pytest

from surveil.errors import ConfigError
from surveil.offline.normality.evaluate import match
from surveil.offline.normality.figures import average_precision, bootstrap, frame_auc, runs
from surveil.offline.normality.gate import failures, parse_gate


def test_auc_counts_pairs_and_half_of_ties():
    assert frame_auc(np.array([1.0, 2, 3, 4]), np.array([False, False, True, True])) == 1.0
    assert frame_auc(np.array([1.0, 2, 2, 4]), np.array([False, True, False, True])) == 0.875
    assert frame_auc(np.zeros(4), np.array([False, True, False, True])) == 0.5
    assert np.isnan(frame_auc(np.zeros(2), np.array([True, True])))


def test_average_precision_of_a_known_ranking():
    scores, labels = np.array([4.0, 3, 2, 1]), np.array([True, False, True, False])
    assert average_precision(scores, labels) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.zeros(4), labels) == 0.5
    assert np.isnan(average_precision(scores, np.zeros(4, np.bool_)))


def test_bootstrap_is_reproducible_and_encloses():
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    a, b = (bootstrap(values, lambda v: float(np.mean(v))) for _ in range(2))
    assert a == b
    assert a.low < a.value < a.high
    assert np.isnan(bootstrap([1.0], lambda v: v[0]).low)


def test_runs_have_first_and_last():
    assert runs(np.array([True, False, True, True])) == [(0, 0), (2, 3)]
    assert runs(np.zeros(3, np.bool_)) == []


def test_alarms_are_matched_to_events_with_a_second_of_grace():
    t = np.arange(400) / 10
    labels, over = np.zeros(400, np.bool_), np.zeros(400, np.bool_)
    labels[50:100] = labels[300:320] = True
    over[70:80] = True  # inside the first event
    over[108:109] = True  # within the grace of it, and merged with the alarm before
    over[200:210] = over[220:230] = True  # one false alarm, not two
    events, false = match(t, labels, over)
    assert events[0].delay_s == pytest.approx(2.0)
    assert np.isnan(events[1].delay_s)
    assert false == (20.0,)


def test_a_gate_is_parsed_not_evaluated():
    conditions = parse_gate("frame_auc>=0.97, event_recall > .9,false_alarms<=2e0")
    figures = {"frame_auc": 0.98, "event_recall": 0.9, "false_alarms": 2.0}
    assert failures(conditions, figures) == ["event_recall>0.9 fails: 0.9"]


def test_a_figure_that_could_not_be_had_fails_the_gate():
    assert failures(parse_gate("frame_auc>=0"), {"frame_auc": float("nan")}) == ["frame_auc>=0 fails: nan"]


@pytest.mark.parametrize(
    "text", ["", "frame_auc", "frame_auc=>1", "__import__('os')", "a>=1;b", "frame_auc>=0.9,,"]
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ConfigError, match="is not a condition"):
        parse_gate(text)


def test_an_unknown_figure_is_named():
    with pytest.raises(ConfigError, match="no figure 'auc'; there are frame_auc"):
        failures(parse_gate("auc>1"), {"frame_auc": 1.0})
