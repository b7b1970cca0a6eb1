"""The libraries that models were published with, as references for what is made of them."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from tests.train.conversion.smallmodels import roberta_config

Pixels = NDArray[np.float32]  # (N, 3, S, S), normalised
Ids = NDArray[np.int64]  # (N, T), padded


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings that the libraries log about their own defaults."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def unit(rows: torch.Tensor) -> NDArray[np.float32]:
    return torch.nn.functional.normalize(rows, dim=-1).detach().numpy()


class TransformersReference:
    """A model with the processor and the tokenizer of transformers."""

    def __init__(self, folder: Path, network: str, tokenizer: str, *, masked: bool, padded: bool) -> None:
        with quiet():
            self.network = getattr(transformers, network).from_pretrained(folder).eval()
            self.processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
            self.tokenizer = getattr(transformers, tokenizer).from_pretrained(folder)
        self._masked = masked
        self._padding = "max_length" if padded else "longest"

    def pixels(self, photos: Sequence[Image.Image]) -> Pixels:
        return np.concatenate([self.processor(one, return_tensors="np")["pixel_values"] for one in photos])

    def tokens(self, texts: Sequence[str]) -> Any:
        options = {"truncation": True, "return_tensors": "pt", "return_attention_mask": True}
        return self.tokenizer(list(texts), padding=self._padding, **options)

    def ids(self, text: str) -> list[int]:
        return self.tokens([text])["input_ids"][0].tolist()

    def image_rows(self, photos: Sequence[Image.Image]) -> NDArray[np.float32]:
        return unit(self.network.get_image_features(torch.from_numpy(self.pixels(photos))).pooler_output)

    def text_rows(self, texts: Sequence[str]) -> NDArray[np.float32]:
        tokens = self.tokens(texts)
        mask = tokens["attention_mask"] if self._masked else None
        return unit(self.network.get_text_features(tokens["input_ids"], attention_mask=mask).pooler_output)


class OpenClipReference:
    """A model with the transform and the tokenizer of open_clip."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        import open_clip
        from open_clip.transform import PreprocessCfg, image_transform_v2

        shutil.copytree(folder, temporary)
        path = temporary / "open_clip_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        text = config["model_cfg"]["text_cfg"]
        if "hf_model_name" in text:  # stands for the hub, which the tests do not ask
            (temporary / "text").mkdir()
            roberta_config(folder).save_pretrained(temporary / "text")
            text["hf_model_name"] = str(temporary / "text")
            path.write_text(json.dumps(config), encoding="utf-8")
        with quiet():
            name = f"local-dir:{temporary}"
            self.network = open_clip.create_model(name, pretrained_text=False).eval()
            self.tokenizer = open_clip.get_tokenizer(name)
        preparation = PreprocessCfg(**open_clip.get_model_preprocess_cfg(self.network))
        self.transform = image_transform_v2(preparation, is_train=False)

    def pixels(self, photos: Sequence[Image.Image]) -> Pixels:
        return torch.stack([self.transform(one) for one in photos]).numpy()

    def ids(self, text: str) -> list[int]:
        return self.tokenizer([text])[0].tolist()

    def image_rows(self, photos: Sequence[Image.Image]) -> NDArray[np.float32]:
        return unit(self.network.encode_image(torch.from_numpy(self.pixels(photos))))

    def text_rows(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return unit(self.network.encode_text(self.tokenizer(list(texts))))
