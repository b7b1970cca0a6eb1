"""Are heat maps and boxes right? Measured on photos whose contents are placed on purpose.

    python -m benchmarks.where truth [MODEL] --captions F --images DIR [--captions … --images …]
    python -m benchmarks.where faithful [MODEL] --captions F --images DIR [--captions … --images …]
    python -m benchmarks.where cost [MODEL] --captions F --images DIR

*truth* makes mosaics of dev photos and asks for the texts of one of them, with no other photo of the mosaic
showing it as far as is known. It counts how often the hottest point is in the right tile. Then it pastes
photos small onto others, and compares boxes with the place of the pasted photo.

*faithful* greys out cells of single photos, the hottest first (deletion) or all but the hottest
(insertion), and measures the score of what is left (Petsiuk, Das, Saenko, *RISE*, 2018).

Three ways of making the map are compared: the cells of the model; its branch for whole photos, applied to
each cell; and Grad-CAM (Selvaraju et al., 2017) on the same network. Chance is the share of the area.
"""

from __future__ import annotations
