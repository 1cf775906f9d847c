from tests.capture.viewer import clip
from tests.rig.fixtures import camera, clips, shared

__all__ = ["camera", "clip", "clips", "shared"]
