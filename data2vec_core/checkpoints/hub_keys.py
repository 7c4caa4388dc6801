"""Names in public (hub format) checkpoints, as the transformers library writes them (data2vec.md section 3)."""

from __future__ import annotations

from data2vec_core.checkpoints.key_table import KeyTable

#: TensorFlow-era names of layer-norm parameters, still found in old text files.
_OLD_NORM_NAMES = [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")]

AUDIO_KEYS = KeyTable(
    [
        ("encoder.layers.{i}.attention.q_proj.*", "encoder.layers.{i}.attention.query.*"),
        ("encoder.layers.{i}.attention.k_proj.*", "encoder.layers.{i}.attention.key.*"),
        ("encoder.layers.{i}.attention.v_proj.*", "encoder.layers.{i}.attention.value.*"),
        ("encoder.layers.{i}.attention.out_proj.*", "encoder.layers.{i}.attention.output.*"),
        ("encoder.layers.{i}.layer_norm.*", "encoder.layers.{i}.attention_norm.*"),
        ("encoder.layers.{i}.final_layer_norm.*", "encoder.layers.{i}.feed_forward_norm.*"),
        (
            "encoder.layers.{i}.feed_forward.intermediate_dense.*",
            "encoder.layers.{i}.feed_forward.up.*",
        ),
        (
            "encoder.layers.{i}.feed_forward.output_dense.*",
            "encoder.layers.{i}.feed_forward.down.*",
        ),
    ],
    prefix="data2vec_audio.",
)

TEXT_KEYS = KeyTable(
    [
        ("embeddings.LayerNorm.*", "embeddings.norm.*"),
        ("encoder.layer.{i}.attention.output.dense.*", "encoder.layers.{i}.attention.output.*"),
        ("encoder.layer.{i}.attention.output.LayerNorm.*", "encoder.layers.{i}.attention_norm.*"),
        ("encoder.layer.{i}.attention.self.*", "encoder.layers.{i}.attention.*"),
        (
            "encoder.layer.{i}.crossattention.output.dense.*",
            "encoder.layers.{i}.cross_attention.output.*",
        ),
        (
            "encoder.layer.{i}.crossattention.output.LayerNorm.*",
            "encoder.layers.{i}.cross_attention_norm.*",
        ),
        ("encoder.layer.{i}.crossattention.self.*", "encoder.layers.{i}.cross_attention.*"),
        ("encoder.layer.{i}.intermediate.dense.*", "encoder.layers.{i}.feed_forward.up.*"),
        ("encoder.layer.{i}.output.dense.*", "encoder.layers.{i}.feed_forward.down.*"),
        ("encoder.layer.{i}.output.LayerNorm.*", "encoder.layers.{i}.feed_forward_norm.*"),
    ],
    prefix="data2vec_text.",
    old_names=_OLD_NORM_NAMES,
    drop=["embeddings.position_ids", "embeddings.token_type_ids"],
)

VISION_KEYS = KeyTable(
    [
        (
            "encoder.layer.{i}.attention.attention.relative_position_bias.relative_position_bias_table",
            "encoder.layers.{i}.relative_position_bias.table",
        ),
        (
            "encoder.relative_position_bias.relative_position_bias_table",
            "encoder.relative_position_bias.table",
        ),
        ("encoder.layer.{i}.attention.output.dense.*", "encoder.layers.{i}.attention.output.*"),
        ("encoder.layer.{i}.attention.attention.*", "encoder.layers.{i}.attention.*"),
        ("encoder.layer.{i}.intermediate.dense.*", "encoder.layers.{i}.feed_forward.up.*"),
        ("encoder.layer.{i}.output.dense.*", "encoder.layers.{i}.feed_forward.down.*"),
        ("encoder.layer.{i}.layernorm_before.*", "encoder.layers.{i}.attention_norm.*"),
        ("encoder.layer.{i}.layernorm_after.*", "encoder.layers.{i}.feed_forward_norm.*"),
        ("encoder.layer.{i}.lambda_1", "encoder.layers.{i}.attention_scale"),
        ("encoder.layer.{i}.lambda_2", "encoder.layers.{i}.feed_forward_scale"),
        ("embeddings.patch_embeddings.projection.*", "embeddings.patch_projection.*"),
        ("fpn1.*", "pyramid.fourfold.*"),
        ("fpn2.*", "pyramid.twofold.*"),
        ("decode_head.psp_modules.blocks.{i}.conv.*", "decode_head.psp_branches.{i}.*"),
    ],
    prefix="data2vec_vision.",
    # transformers 4.x named the convolutions of the segmentation heads differently; 5.x itself does not read them.
    old_names=[
        (
            "decode_head.psp_modules.{i}.1.conv.",
            "decode_head.psp_modules.blocks.{i}.conv.convolution.",
        ),
        (
            "decode_head.psp_modules.{i}.1.bn.",
            "decode_head.psp_modules.blocks.{i}.conv.normalization.",
        ),
        ("decode_head.bottleneck.conv.", "decode_head.psp_bottleneck.convolution."),
        ("decode_head.bottleneck.bn.", "decode_head.psp_bottleneck.normalization."),
        ("decode_head.fpn_bottleneck.conv.", "decode_head.fpn_bottleneck.convolution."),
        ("decode_head.fpn_bottleneck.bn.", "decode_head.fpn_bottleneck.normalization."),
        ("_convs.{i}.conv.", "_convs.{i}.convolution."),
        ("_convs.{i}.bn.", "_convs.{i}.normalization."),
        ("auxiliary_head.convs.{i}.conv.", "auxiliary_head.convs.{i}.convolution."),
        ("auxiliary_head.convs.{i}.bn.", "auxiliary_head.convs.{i}.normalization."),
        ("auxiliary_head.conv_cat.conv.", "auxiliary_head.conv_cat.convolution."),
        ("auxiliary_head.conv_cat.bn.", "auxiliary_head.conv_cat.normalization."),
    ],
    drop=["relative_position_index"],
)
