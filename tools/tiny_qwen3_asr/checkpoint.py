"""The files around the weights of a tiny Qwen3-ASR: tokenizer, processor, configuration.

A real ``-hf`` checkpoint in small: the same classes, the same special tokens in the same order,
the same turns of the chat template; only the vocabulary and the widths are small.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AddedToken,
    GenerationConfig,
    Qwen2Tokenizer,
    Qwen3ASRConfig,
    Qwen3ASRFeatureExtractor,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRProcessor,
)

from tests.engines.tone_words import (
    LEXICON_A,
    LEXICON_B,
    RATTLE_TEXT,
    SAMPLE_RATE_HZ,
    speak,
)

#: Special tokens of the real tokenizer that speech recognition uses, in the order of their
#: numbers there, from 151643 on. The second value: whether decoding may skip them; the last two
#: stay in the text, because the answer is read by them.
SPECIAL_TOKENS = (
    ("<|endoftext|>", True),
    ("<|im_start|>", True),
    ("<|im_end|>", True),
    ("<|audio_start|>", True),
    ("<|audio_end|>", True),
    ("<|audio_pad|>", True),
    ("<asr_text>", False),
    ("<timestamp>", False),
)

#: About one over the root of the width; the large models have 0.02.
INITIALIZER_RANGE = 0.08

#: Renders the turns that the real template renders: one system turn with the context, empty
#: where there is none; one user turn with the audio; the assistant's turn as it is given.
CHAT_TEMPLATE = """\
{%- set found = namespace(context='', audio='') -%}
{%- for message in messages -%}
  {%- if message.content is string -%}
    {%- if message.role == 'system' -%}
      {%- set found.context = found.context + message.content -%}
    {%- endif -%}
  {%- else -%}
    {%- for part in message.content -%}
      {%- if part.type == 'audio' -%}
        {%- set found.audio = found.audio + '<|audio_start|><|audio_pad|><|audio_end|>' -%}
      {%- elif message.role == 'system' and part.type == 'text' -%}
        {%- set found.context = found.context + part.text -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
{%- endfor -%}
{{- '<|im_start|>system\\n' + found.context + '<|im_end|>\\n' -}}
{{- '<|im_start|>user\\n' + found.audio + '<|im_end|>\\n' -}}
{%- for message in messages if message.role == 'assistant' -%}
  {{- '<|im_start|>assistant\\n' -}}
  {%- generation -%}
    {%- if message.content is string -%}
      {{- message.content -}}
    {%- else -%}
      {%- for part in message.content if part.type == 'text' -%}{{- part.text -}}{%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>\\n' -}}
  {%- endgeneration -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""


def make_processor() -> Qwen3ASRProcessor:
    """The processor with a tokenizer of bytes and of the words that the tones can say."""
    tokenizer = Qwen2Tokenizer(
        **_vocabulary(),
        unk_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=131_072,
        extra_special_tokens={
            "audio_bos_token": "<|audio_start|>",
            "audio_eos_token": "<|audio_end|>",
            "audio_token": "<|audio_pad|>",
        },
    )
    tokenizer.add_tokens([AddedToken(text, special=special) for text, special in SPECIAL_TOKENS])
    return Qwen3ASRProcessor(
        feature_extractor=Qwen3ASRFeatureExtractor(),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
    )


def make_model(processor: Qwen3ASRProcessor) -> Qwen3ASRForConditionalGeneration:
    """The real architecture at under a million parameters, float32, untrained."""
    ids = processor.tokenizer.convert_tokens_to_ids
    config = Qwen3ASRConfig(
        audio_config={
            "model_type": "qwen3_asr_encoder",
            "d_model": 128,
            "encoder_layers": 2,
            "encoder_attention_heads": 4,
            "encoder_ffn_dim": 256,
            "downsample_hidden_size": 8,
            "output_dim": 128,
            "initializer_range": INITIALIZER_RANGE,
        },
        text_config={
            "model_type": "qwen3",
            "vocab_size": len(processor.tokenizer),
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "max_position_embeddings": 65_536,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
            "tie_word_embeddings": True,
            "initializer_range": INITIALIZER_RANGE,
        },
        initializer_range=INITIALIZER_RANGE,
        audio_token_id=ids("<|audio_pad|>"),
        timestamp_token_id=ids("<timestamp>"),
        pad_token_id=ids("<|im_end|>"),
        eos_token_id=[ids("<|endoftext|>"), ids("<|im_end|>")],
    )
    model = Qwen3ASRForConditionalGeneration(config)
    _even_out(model, processor)
    model.generation_config = GenerationConfig(
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        do_sample=False,
        max_new_tokens=512,
    )
    return model


@torch.no_grad()
def _even_out(model: Qwen3ASRForConditionalGeneration, processor: Qwen3ASRProcessor) -> None:
    """Scale each convolution so that a sentence leaves it with a standard deviation of 1.

    As they are drawn, they let through a fiftieth of that, which drowns in the position
    embedding that is added to it: training would not take off for thousands of steps.
    """
    features = processor.feature_extractor(
        [speak("River stone light.")], sampling_rate=SAMPLE_RATE_HZ, padding=True
    )["input_features"]
    frames = 2 * model.config.audio_config.n_window
    values = features[..., :frames].unsqueeze(1)
    tower = model.model.audio_tower
    for layer in (tower.conv2d1, tower.conv2d2, tower.conv2d3):
        layer.weight /= layer(values).std()
        values = torch.nn.functional.gelu(layer(values))
    flat = values.permute(0, 3, 1, 2).flatten(2)
    tower.conv_out.weight /= tower.conv_out(flat).std()


def _vocabulary() -> dict[str, object]:
    """Vocabulary and merges of a byte-level BPE, the way the Qwen tokenizers are made."""
    bytewise = Tokenizer(models.BPE())
    bytewise.normalizer = normalizers.NFC()
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    bytewise.train_from_iterator(
        _corpus(),
        trainers.BpeTrainer(
            vocab_size=720,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    model = json.loads(bytewise.to_str())["model"]
    vocabulary = dict(model["vocab"])
    for text, _ in SPECIAL_TOKENS:
        vocabulary[text] = len(vocabulary)
    return {"vocab": vocabulary, "merges": [tuple(pair) for pair in model["merges"]]}


def _corpus() -> list[str]:
    """Every word in every form that a text may have it in, each often enough to be merged."""
    lines = ["system user assistant", "language English", "language Chinese", "language None"]
    for lexicon in (LEXICON_A, LEXICON_B):
        for word in (*lexicon.english, *lexicon.variants.values()):
            lines += [word, f" {word}", word.capitalize(), f" {word.capitalize()}"]
        for word in (*lexicon.chinese, *lexicon.variants.values()):
            lines.append(word)
    lines += [*RATTLE_TEXT.values(), "。"]
    return sorted(lines) * 8


def save(
    model: Qwen3ASRForConditionalGeneration, processor: Qwen3ASRProcessor, folder: Path
) -> None:
    """Write the folder as a real ``-hf`` checkpoint has it, the weights in float16."""
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)
