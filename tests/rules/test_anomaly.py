"""The rule reads what learned normality found; it decides nothing itself."""

import numpy as np

from surveil.features.normality.result import Explanation, NormalityResult, NormalityState, NormalityStatus
from surveil.features.normality.rule import AnomalySettings
from surveil.features.registry import build_rules
from surveil.types import Findings, Frame, Observation, Scene, Signal

WHY = Explanation(
    attribute="speed",
    words="4.1 × the usual speed here; once in 9 days",
    box=(1.0, 2.0, 30.0, 40.0),
    heat=np.zeros((2, 2), np.float32),
    once_in_s=9 * 86400.0,
    example=None,
    numbers={"measured": 41.0, "usual": 10.0, "deviation": 2.512},
)


def signals(finding: NormalityResult | None, **settings: object) -> list[Signal]:
    (rule,) = build_rules([AnomalySettings(**settings)], {}, {})
    findings = Findings([] if finding is None else [finding])
    frame = Frame(camera="yard", seq=0, t=1.0, t_wall=1.0, picture=None)  # type: ignore[arg-type]
    return list(rule.signals(Scene(Observation(frame=frame, width=320, height=240, findings=findings), ())))


def finding(alarm: bool, explanation: Explanation | None = WHY) -> NormalityResult:
    return NormalityResult(
        t=1.0,
        status=NormalityStatus(NormalityState.READY),
        score=3.5,
        sustained=3.0,
        threshold=2.5,
        surprise={"speed": 3.456},
        over=True,
        alarm=alarm,
        model="normality-v2-abc",
        sha256="abcdef",
        explanation=explanation,
    )


def test_an_alarm_is_a_signal_that_explains_itself():
    (signal,) = signals(finding(alarm=True))
    assert (signal.rule, signal.key, signal.label) == ("anomaly", "anomaly", "speed")
    assert signal.text == "4.1 × the usual speed here; once in 9 days"
    assert signal.box == (1.0, 2.0, 30.0, 40.0)
    assert signal.score == 0.999
    assert signal.details == {
        "attribute": "speed", "surprise": 3.0, "threshold": 2.5, "surprise_by_attribute": {"speed": 3.46},
        "model": "normality-v2-abc", "model_sha256": "abcdef", "once_in_s": 777600, "measured": 41.0, "usual": 10.0,
        "deviation": 2.51,
    }  # fmt: skip


def test_without_a_finding_an_alarm_or_an_explanation_there_is_no_signal():
    assert signals(None) == []
    assert signals(finding(alarm=False)) == []
    assert signals(finding(alarm=True, explanation=None)) == []


def test_only_the_attributes_asked_for_alert():
    assert signals(finding(alarm=True), attributes=("object",)) == []
    assert len(signals(finding(alarm=True), attributes=("speed", "object"))) == 1
