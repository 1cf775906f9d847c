from tests.rig.fixtures import camera, clips, shared

__all__ = ["camera", "clips", "shared"]
