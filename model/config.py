"""The network as data: every size, source, placement and option of `SpatialMLLM`; the defaults are the tiny network."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Dtype = Literal["float32", "bfloat16", "float16"]
EncoderName = Literal["sensors", "vggt"]


class Section(BaseModel):
    """Base of the sections: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SensorsConfig(Section):
    """The simulator's own depth and pose as a geometry encoder."""

    width: int = Field(64, ge=8, description="Width of a token.")


class VGGTConfig(Section):
    """The published VGGT architecture at any size."""

    weights: str | None = Field(None, description="Checkpoint file, folder or hub id; none = from scratch.")
    trainable: bool = True
    image_size: int = Field(64, ge=8, description="Side in pixels to which a view is resized for this encoder.")
    pretrained_image_size: int = Field(64, ge=8, description="Side of the images that the position table was made for.")
    patch_size: int = Field(16, ge=2)
    width: int = Field(64, ge=16, description="Width of a block; tokens are twice as wide (frame and global halves).")
    depth: int = Field(2, ge=1, description="Pairs of frame and global attention blocks.")
    heads: int = Field(2, ge=1)
    registers: int = Field(4, ge=0)
    patch_embed: Literal["dinov2", "conv"] = "conv"
    patch_embed_depth: int = Field(2, ge=1, description="Blocks of the dinov2 patch embedding.")
    camera_depth: int = Field(1, ge=1, description="Blocks of the camera head.")
    camera_heads: int = Field(2, ge=1)
    camera_iterations: int = Field(2, ge=1, description="Refinements of the pose.")
    dpt_width: int = Field(16, ge=8, description="Width of the fused maps in the depth and point heads.")
    dpt_channels: tuple[int, int, int, int] = (16, 16, 32, 32)
    dpt_layers: tuple[int, int, int, int] = Field((0, 0, 1, 1), description="Blocks whose tokens the dense heads read.")
    dpt_out_width: int = Field(8, ge=4, description="Width of the last maps in the dense heads.")
    dpt_positions: bool = Field(True, description="Add sine positions inside the dense heads.")
    frames_chunk: int = Field(8, ge=1, description="Views that pass a dense head at a time, to bound memory.")

    @classmethod
    def published(cls) -> Self:
        """VGGT-1B (Wang et al. 2025): 1.19 billion parameters without the track head."""
        return cls(
            trainable=False,
            image_size=224,
            pretrained_image_size=518,
            patch_size=14,
            width=1024,
            depth=24,
            heads=16,
            patch_embed="dinov2",
            patch_embed_depth=24,
            camera_depth=4,
            camera_heads=16,
            camera_iterations=4,
            dpt_width=256,
            dpt_channels=(256, 512, 1024, 1024),
            dpt_layers=(4, 11, 17, 23),
            dpt_out_width=32,
        )

    @model_validator(mode="after")
    def sizes_fit(self) -> Self:
        """Refuse sizes that the architecture cannot have."""
        if self.width % self.heads or (self.width // self.heads) % 4:
            raise ValueError("vggt.width must be heads times a multiple of 4 (two-dimensional rotary positions)")
        if self.image_size % self.patch_size or self.pretrained_image_size % self.patch_size:
            raise ValueError("vggt.image_size and pretrained_image_size must be multiples of vggt.patch_size")
        if max(self.dpt_layers) >= self.depth:
            raise ValueError("vggt.dpt_layers name blocks beyond vggt.depth")
        return self


class DINOv3Config(Section):
    """DINOv3 on every view (transformers)."""

    source: str | None = Field(
        None, description="Local folder or hub id of weights; none = the sizes below, from scratch."
    )
    trainable: bool = True
    image_size: int = Field(64, ge=8, description="Side in pixels to which a view is resized for this encoder.")
    patch_size: int = Field(8, ge=2)
    width: int = Field(48, ge=16)
    depth: int = Field(1, ge=1)
    heads: int = Field(3, ge=1)
    mlp_width: int = Field(96, ge=16)
    registers: int = Field(4, ge=0, description="The published checkpoints have 4.")

    @classmethod
    def published(cls) -> Self:
        """DINOv3 ViT-L/16: 0.3 billion parameters."""
        return cls(trainable=False, image_size=256, patch_size=16, width=1024, depth=24, heads=16, mlp_width=4096)


class LoraConfig(Section):
    """Low-rank adapters on the language model (peft)."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class LanguageConfig(Section):
    """Qwen2.5-VL or Qwen3-VL (transformers) as the reasoner over instruction, views and queries."""

    architecture: Literal["qwen2_5_vl", "qwen3_vl"] = Field(
        "qwen2_5_vl", description="Kind of the weights in `source`, or of the network that is made from the sizes."
    )
    source: str | None = Field(
        None, description="Local folder or hub id of weights; none = the sizes below, from scratch."
    )
    tokenizer: str | None = Field(
        None, description="Local folder or hub id; none = the source's, or one trained on the data."
    )
    vocabulary: int = Field(512, ge=300, description="Tokens of a tokenizer that is trained on the data.")
    trainable: bool = True
    merge: int = Field(2, ge=1, description="Side of the square of patches that is one token of the language model.")
    width: int = Field(128, ge=16)
    mlp_width: int = Field(256, ge=16)
    depth: int = Field(2, ge=1)
    heads: int = Field(4, ge=1)
    kv_heads: int = Field(4, ge=1)
    tied: bool = Field(True, description="One matrix for input and output words, as small models have it.")
    vision_depth: int = Field(1, ge=1, description="The vision tower is part of the checkpoint, but is not run.")
    vision_width: int = Field(16, ge=16)
    vision_mlp_width: int = Field(16, ge=16)
    attention: Literal["blocks", "full", "causal"] = Field(
        "blocks",
        description="blocks: keyframe k and query k see the instruction, the current view and themselves; "
        "full: all see all; causal: the published order, each token sees what comes before.",
    )
    text_length: int = Field(48, ge=1, description="Longest instruction in tokens; longer ones are cut.")
    checkpointing: bool = Field(False, description="Recompute activations in the backward pass to save memory.")
    lora: LoraConfig | None = None

    @classmethod
    def published(cls) -> Self:
        """Qwen2.5-VL-7B."""
        return cls(
            trainable=False,
            merge=1,
            vocabulary=152064,
            width=3584,
            mlp_width=18944,
            depth=28,
            heads=28,
            kv_heads=4,
            tied=False,
            vision_depth=32,
            vision_width=1280,
            vision_mlp_width=3420,
            text_length=256,
            checkpointing=True,
            lora=LoraConfig(),
        )

    @model_validator(mode="after")
    def heads_fit(self) -> Self:
        """Refuse head counts that do not divide the width."""
        if self.width % self.heads or self.heads % self.kv_heads or (self.width // self.heads) % 4:
            raise ValueError("language.width must be heads times a multiple of 4, and heads a multiple of kv_heads")
        return self


class HeadConfig(Section):
    """The heatmap head and the features that training may align."""

    width: int = Field(96, ge=8, description="Width of the space in which queries and cells are compared.")
    heads: int = Field(2, ge=1)
    near: bool = Field(True, description="Cells look at keyframes' patches the less, the farther these lie in space.")
    landing: bool = Field(True, description="Cells are told where they would lie in the keyframes' images.")
    matched: bool = Field(True, description="Cells are told where their look-alikes lie in the keyframes' images.")
    alignment_layer: int = Field(1, ge=0, description="Language layer after which features are aligned across frames.")
    alignment_width: int = Field(64, ge=8)


class Placement(Section):
    """Device of each part, like `cuda:0`; none = wherever the network as a whole is put."""

    geometry: str | None = None
    dinov3: str | None = None
    language: str | None = None
    heads: str | None = None


class NetworkConfig(Section):
    """`SpatialMLLM` at one size."""

    image_size: int = Field(64, ge=16, description="Side in pixels of the square views that the loader delivers.")
    patches: int = Field(8, ge=1, description="P: side of the patch grid of a view inside the network.")
    grid: int = Field(16, ge=2, description="G: side of the heatmap's grid; a multiple of `patches`.")
    keyframes: int = Field(6, ge=1, description="K: keyframes beside the current view.")
    encoders: tuple[EncoderName, ...] = Field(
        ("sensors", "vggt"), min_length=1, description="Geometry encoders: the first gives the points, all give tokens."
    )
    sensors: SensorsConfig = SensorsConfig()
    vggt: VGGTConfig = VGGTConfig()
    dinov3: DINOv3Config | None = DINOv3Config()
    language: LanguageConfig = LanguageConfig()
    head: HeadConfig = HeadConfig()
    point_bands: int = Field(6, ge=0, description="Octaves of the Fourier code of 3-D points; 0 leaves the points out.")
    trail: bool = Field(True, description="The goal's query is told how the walker came here, where geometry is used.")
    dtype: Dtype = Field("float32", description="Type of the arithmetic; trainable weights stay float32.")
    devices: Placement = Placement()

    @classmethod
    def published(cls) -> Self:
        """VGGT-1B, DINOv3 ViT-L/16 and Qwen2.5-VL-7B at 224 px."""
        return cls(
            image_size=224,
            patches=16,
            grid=16,
            keyframes=8,
            encoders=("vggt",),
            vggt=VGGTConfig.published(),
            dinov3=DINOv3Config.published(),
            language=LanguageConfig.published(),
            head=HeadConfig(width=1024, heads=16, alignment_layer=4, alignment_width=256),
            dtype="bfloat16",
        )

    @property
    def uses_points(self) -> bool:
        """Whether any part reads the geometry of the first encoder, beside its tokens."""
        return bool(self.point_bands) or self.head.near or self.head.landing

    @property
    def tells_trail(self) -> bool:
        """Whether the poses of the first encoder are told to the goal's query."""
        return self.trail and self.uses_points

    @model_validator(mode="after")
    def grids_fit(self) -> Self:
        """Refuse grids that do not nest and encoders named twice."""
        if self.grid % self.patches or self.image_size % self.grid:
            raise ValueError("network.grid must be a multiple of network.patches and divide network.image_size")
        if self.patches % self.language.merge:
            raise ValueError("network.patches must be a multiple of network.language.merge")
        if self.head.width % self.head.heads:
            raise ValueError("network.head.width must be a multiple of network.head.heads")
        if len(set(self.encoders)) != len(self.encoders):
            raise ValueError("network.encoders names an encoder twice")
        if self.head.alignment_layer > self.language.depth:
            raise ValueError("network.head.alignment_layer lies beyond network.language.depth")
        return self
