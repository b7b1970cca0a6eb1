"""Models of some kilobytes with random weights, in the layouts in which real ones are published."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SIZE, DIM = 32, 16  # of photos and vectors
SIDES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
VISION = {**SIDES, "image_size": SIZE, "patch_size": 8}
CORPUS = [
    "a dog runs over a green field",
    "two children play football, and it rains!",
    "a cup of coffee on a wooden table by the window",
    "mountains at sunset with a lake in front of them",
    "eine Straße in München, ein Café und ein Mädchen",
    "一只狗在草地上奔跑 两个孩子在踢足球",
    "isn't it? it's 42 o'clock; (the end) - \"quoted\" a_b",
]
TEXTS = [
    "a dog",
    "",
    "Two CHILDREN play football -- isn't it nice?!",
    "Ein Mädchen vor dem Café, naïve Straße",
    "一只狗在草地上奔跑",
    "\U0001f600 42 cats \U0001f415",
    "under_score, (brackets) & ampersand's",
    "word " * 200,
]


def photos() -> list[Image.Image]:
    """Generated photos: odd sizes, portrait, panorama, small, grey."""
    rng = np.random.default_rng(3)
    pictures = []
    for width, height in ((97, 61), (45, 83), (250, 37), (20, 23), (64, 64)):
        coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
        pictures.append(coarse.resize((width, height), Image.Resampling.BICUBIC))
    return [*pictures, pictures[0].convert("L")]


def write_clip(folder: Path, **vision: Any) -> Path:
    """A CLIP of transformers, with vocab.json, merges.txt and tokenizer.json."""
    tokenizer = clip_like_tokenizer(folder)
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    config = transformers.CLIPConfig(
        text_config={
            **SIDES,
            "vocab_size": len(tokenizer),
            "eos_token_id": end,
            "bos_token_id": end - 1,
            "pad_token_id": end,
        },
        vision_config=VISION | vision,
        projection_dim=DIM,
    )
    save(folder, transformers.CLIPModel(config))
    write_json(folder / "preprocessor_config.json", clip_preprocessing())
    return folder


def write_siglip(folder: Path, gemma: bool = False) -> Path:
    """A SigLIP of transformers, or a SigLIP2 of a fixed size, whose tokenizer is Gemma's."""
    tokenizer = gemma_like_tokenizer(folder) if gemma else unigram_tokenizer(folder, siglip=True)
    config = transformers.SiglipConfig(
        text_config={**SIDES, "vocab_size": tokenizer.get_vocab_size(), "projection_size": 32},
        vision_config=VISION,
    )
    save(folder, transformers.SiglipModel(config))
    write_json(
        folder / "preprocessor_config.json",
        {
            "do_resize": True,
            "do_rescale": True,
            "do_normalize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
            "image_processor_type": "SiglipImageProcessor",
            "resample": 2 if gemma else 3,
            "rescale_factor": 1 / 255,
            "size": {"height": SIZE, "width": SIZE},
        },
    )
    return folder


def write_chinese_clip(folder: Path) -> Path:
    """A Chinese-CLIP, with a BERT vocabulary alone."""
    rows = bert_vocabulary(folder)
    config = transformers.ChineseCLIPConfig(
        text_config={**SIDES, "vocab_size": rows},
        vision_config=VISION,
        projection_dim=DIM,
    )
    save(folder, transformers.ChineseCLIPModel(config))
    settings = clip_preprocessing() | {"do_center_crop": False, "size": {"height": SIZE, "width": SIZE}}
    write_json(
        folder / "preprocessor_config.json", settings | {"image_processor_type": "ChineseCLIPImageProcessor"}
    )
    return folder


def bert_vocabulary(folder: Path) -> int:
    """Write a vocabulary of BERT's kind. Returns the number of its pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted({letter for text in CORPUS for letter in text.lower() if letter.strip()})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *letters, *(f"##{letter}" for letter in letters), "dog", "children"]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 52})
    return len(pieces)


def write_altclip(folder: Path) -> Path:
    """An AltCLIP, with XLM-R's kind of tokenizer."""
    tokenizer = unigram_tokenizer(folder, siglip=False)
    config = transformers.AltCLIPConfig(
        text_config={
            **SIDES,
            "vocab_size": tokenizer.get_vocab_size(),
            "max_position_embeddings": 66,
            "project_dim": DIM,
        },
        vision_config=VISION,
        projection_dim=DIM,
    )
    save(folder, transformers.AltCLIPModel(config))
    write_json(folder / "preprocessor_config.json", clip_preprocessing())
    return folder


def clip_preprocessing() -> dict[str, Any]:
    """The preprocessor_config.json of CLIP, for small photos."""
    return {
        "crop_size": {"height": SIZE, "width": SIZE},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "CLIPImageProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": SIZE},
    }


def save(folder: Path, network: Any, **options: Any) -> None:
    """Save a network with random weights, as config.json and safetensors."""
    randomise(network)
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    network.save_pretrained(folder, **options)
    logging.disable(level)


def randomise(network: torch.nn.Module) -> None:
    """Give a network weights that make its vectors differ; initial ones are too small for that."""
    torch.manual_seed(5)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if tensor.ndim > 1:
                tensor.copy_(torch.randn_like(tensor) * (0.5 if "embedding" in name else 0.2))


def write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data), encoding="utf-8")


def clip_like_tokenizer(folder: Path) -> Any:
    """A byte-pair tokenizer of CLIP's kind, trained on some sentences and saved."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *model["vocab"]]
    vocabulary: dict[str, int] = {}
    for piece in [*pieces, "<|startoftext|>", "<|endoftext|>"]:
        vocabulary.setdefault(piece, len(vocabulary))
    merges = [tuple(pair) for pair in model["merges"]]
    built = transformers.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)
    built.save_pretrained(folder)
    write_json(folder / "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return built


def unigram_tokenizer(folder: Path, siglip: bool, kind: str = "PreTrainedTokenizerFast") -> Tokenizer:
    """A SentencePiece-like tokenizer in the layout of SigLIP's (T5's kind), or else of XLM-R's."""
    tokenizer = Tokenizer(models.Unigram())
    punctuation = normalizers.Replace(Regex(r"[!-/:-@\[-`{-~]"), "")
    cleaning = [normalizers.Lowercase(), punctuation] if siglip else [normalizers.NFKC()]
    tokenizer.normalizer = normalizers.Sequence(
        [*cleaning, normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"] if siglip else ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    ends = [
        (one, tokenizer.token_to_id(one)) for one in ("</s>", "<s>") if tokenizer.token_to_id(one) is not None
    ]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>" if siglip else "<s> $A </s>", special_tokens=ends
    )
    settings: dict[str, Any] = {"tokenizer_class": kind, "model_max_length": 64, "eos_token": "</s>"}
    settings |= (
        {"pad_token": "</s>"} if siglip else {"pad_token": "<pad>", "bos_token": "<s>", "cls_token": "<s>"}
    )
    return saved(folder, tokenizer, settings | {"unk_token": "<unk>"})


def gemma_like_tokenizer(folder: Path, last_in_file: bool = True) -> Tokenizer:
    """A tokenizer in the layout of SigLIP2's, which is Gemma's.

    Its last token is asked for by the settings, and may be in the file too."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([text.lower() for text in CORPUS], trainer)
    settings = {
        "tokenizer_class": "GemmaTokenizer",
        "add_bos_token": False,
        "add_eos_token": True,
        "model_max_length": 64,
        "padding_side": "right",
        **{f"{one}_token": f"<{one}>" for one in ("pad", "eos", "bos", "unk")},
    }
    if last_in_file:
        ends = [("<eos>", tokenizer.token_to_id("<eos>"))]
        tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=ends)
    return saved(folder, tokenizer, settings)


def saved(folder: Path, tokenizer: Tokenizer, settings: dict[str, Any]) -> Tokenizer:
    """Save a tokenizer with its settings."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", settings)
    return tokenizer


OPEN_CLIP_VISION = {"image_size": SIZE, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
OPEN_CLIP_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
OPENAI = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}


def write_open_clip(folder: Path, text: dict[str, Any], preprocessing: dict[str, Any], **model: Any) -> Path:
    """A model of open_clip with changes to CLIP's configuration, as the hub has them."""
    from open_clip.factory import create_model
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "embed_dim": DIM,
        "vision_cfg": OPEN_CLIP_VISION,
        "text_cfg": OPEN_CLIP_TEXT | text,
        **model,
    }
    settings = {"model_cfg": config, "preprocess_cfg": OPENAI | preprocessing}
    write_json(folder / "open_clip_config.json", settings)
    logging.disable(logging.WARNING)
    network = create_model(f"local-dir:{folder}", load_weights=False, pretrained_text=False)
    logging.disable(logging.NOTSET)
    randomise(network)
    tensors = {name: tensor.clone().contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


def write_open_clip_clip(folder: Path) -> Path:
    """A CLIP of open_clip: byte-pair tokenizer, causal text network, crops."""
    return write_open_clip(folder, {}, {"interpolation": "bicubic", "resize_mode": "shortest"})


def write_open_clip_siglip(folder: Path) -> Path:
    """A SigLIP of open_clip: T5's kind of tokenizer, texts padded and read to the end, squashed photos."""
    unigram_tokenizer(folder, siglip=True)
    text = {
        "context_length": 64,
        "vocab_size": Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size(),
        "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "no_causal_mask": True,
        "pool_type": "last",
        "proj_bias": True,
    }
    preprocessing = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    return write_open_clip(folder, text, preprocessing, custom_text=True, init_logit_bias=-10)


def write_open_clip_roberta(folder: Path) -> Path:
    """A model of open_clip whose text network is XLM-R, as transformers has it."""
    unigram_tokenizer(folder, siglip=False)
    roberta_config(folder).save_pretrained(folder)  # stands for the hub while the weights are made
    text = {
        "hf_model_name": str(folder),
        "hf_tokenizer_name": "xlm-roberta-base",
        "hf_proj_type": "mlp",
        "hf_pooler_type": "mean_pooler",
        "context_length": 64,
    }
    write_open_clip(folder, text, {"interpolation": "bicubic", "resize_mode": "shortest"}, custom_text=True)
    (folder / "config.json").unlink()
    settings = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))
    settings["model_cfg"]["text_cfg"]["hf_model_name"] = "xlm-roberta-base"
    write_json(folder / "open_clip_config.json", settings)
    return folder


def roberta_config(folder: Path) -> Any:
    """A small XLM-R for the tokenizer in a folder. As in the real ones, a head has 64 dimensions."""
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    return transformers.XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=1,
        max_position_embeddings=66,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )


def write_multilingual_clip(folder: Path) -> Path:
    """An M-CLIP text network, with the CLIP that it fits in ``image``."""
    from safetensors.torch import save_file

    unigram_tokenizer(folder, siglip=False)
    network = torch.nn.Module()
    network.transformer = transformers.XLMRobertaModel(roberta_config(folder))
    network.LinearTransformation = torch.nn.Linear(64, DIM)
    randomise(network)
    save_file(
        {name: tensor.clone() for name, tensor in network.state_dict().items()}, folder / "model.safetensors"
    )
    write_json(
        folder / "config.json",
        {
            "model_type": "M-CLIP",
            "modelBase": "xlm-roberta-large",
            "numDims": DIM,
            "transformerDimensions": 64,
        },
    )
    write_clip(folder / "image")
    return folder
