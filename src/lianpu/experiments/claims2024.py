"""What Yan et al. 2024 say of their results, and what lianpu adds because it knows the truth: each a comparison that can fail. The text of
the paper that we hold has none of the numbers of its Tables 1 to 3.
"""

from __future__ import annotations

from collections.abc import Callable

from lianpu.experiments.claims import VERDICTS, Claim, Look, Measured, compare, every

__all__ = ["ASYMMETRY", "CLAIMS", "LESS", "SHAPE", "SHARE", "WHOLE"]

SHARE = "identity (clay) kept at {} degrees, share of the true heads'"
SHAPE = ("SIDE", "MAD (degrees)")
LESS = "{} less the mean depth's"
"""What a row is called whose values are differences: of a lifter and one depth for all heads, on the same pixels."""
ASYMMETRY = "asymmetry of new faces (degrees)"
WHOLE = "{} over all of the true head"
"""What a row is called whose pixels are also those where a lifter says ground."""
TURNS = (15, 30, 45, 60)
BEYOND = "Beyond the paper"


def _best(*verdicts: str) -> str:
    return min(verdicts, key=VERDICTS.index)


def _below(metric: str, row: str, other: str) -> Callable[[Look], str]:
    return lambda look: compare(look(metric, row), look(metric, other))


def _beats(other: str) -> dict[str, Callable[[Look], str]]:
    """On SIDE and on MAD, each less the mean depth's: two lifters' heads do not have the same pixels."""
    return {m: _below(LESS.format(m), "digan", other) for m in SHAPE}


def _whole(wall: str) -> dict[str, Callable[[Look], str]]:
    """On both over all of the true head, which a wall covers anyway."""

    def below(metric: str) -> Callable[[Look], str]:
        return lambda look: compare(look(WHOLE.format(metric), "digan"), look(metric, wall))

    return {m: below(m) for m in SHAPE}


def _at_most(metric: str, limit: float) -> Callable[[Look], str]:
    return lambda look: compare(look(metric, "digan"), _exactly(limit))


def _at_least(metric: str, limit: float) -> Callable[[Look], str]:
    return lambda look: compare(_exactly(limit), look(metric, "digan"))


def _exactly(value: float) -> Measured:
    return Measured((value,), (value,), (value,))


def _against_liftedgan(look: Look) -> str:
    """Better on one of the two, and on neither clearly worse."""
    verdicts = [beats(look) for beats in _beats("liftedgan").values()]
    return "disagrees" if "disagrees" in verdicts else _best(*verdicts)


def _competitive(look: Look) -> str:
    """Not more than a tenth above the nearest of the 2D generators."""
    rivals = [found for row in ("teacher", "ada", "apa", "diffusion") if (found := look("frechet", row))]
    return compare(look("frechet", "digan"), min(rivals, key=lambda m: m.mean).times(1.1) if rivals else None)


def _identity(look: Look) -> str:
    return every([compare(look(SHARE.format(t), "liftedgan"), look(SHARE.format(t), "digan")) for t in TURNS])


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "digan-visual", "digan", "Table 1",
        "DIGAN's pictures are of competitive or better quality than those of 2D generators.",
        "DIGAN 的图像质量与二维生成模型相当或更好。",
        _competitive,
        "Fréchet distance: is that of its renders at most a tenth above the best of the four 2D generators'?",
        "弗雷歇距离：其渲染图像是否至多比四种二维生成模型中最佳者高一成。",
    ),
    Claim(
        "digan-identity", "digan", "Table 2",
        "DIGAN keeps identity under rotation significantly better than the other 3D-aware methods.",
        "旋转之后，DIGAN 的身份保持明显优于其他三维可控方法。",
        _identity,
        "Identity kept at 15 to 60 degrees, as a share of the true heads', against LiftedGAN's.",
        "15 至 60 度时的身份保持（占真实头像之比），与 LiftedGAN 比较。",
    ),
    Claim(
        "flip-shape", "digan-wo-flip", "Table 3",
        "Without the symmetric reconstruction loss the faces have no reasonable shape.",
        "去掉对称重建损失后，难以生成合理的人脸形状。",
        _beats("digan-wo-flip"),
        "SIDE and MAD, less the mean depth's: are DIGAN's below those of wo_flip?",
        "SIDE 与 MAD（减去平均深度之值）：DIGAN 是否低于 wo_flip。",
    ),
    Claim(
        "flip-symmetry", "digan-wo-flip", BEYOND,
        "Without it the two halves of a face are less alike.",
        "去掉它之后，人脸左右两半更不对称。",
        _below(ASYMMETRY, "digan", "digan-wo-flip"),
        "The angle between the normals of new faces and of their mirror images: is DIGAN's below that of wo_flip?",
        "新人脸与其镜像法线之间的夹角：DIGAN 是否低于 wo_flip。",
    ),
    Claim(
        "flip-visual", "digan-wo-flip", BEYOND,
        "Without it the pictures may look better all the same (Yilmaz et al. 2022, who repeated LiftedGAN).",
        "尽管如此，去掉它之后图像可能反而更好（Yilmaz 等 2022，LiftedGAN 的复现）。",
        _below("frechet", "digan-wo-flip", "digan"),
        "Fréchet distance: is that of wo_flip below DIGAN's?",
        "弗雷歇距离：wo_flip 是否低于 DIGAN。",
    ),
    Claim(
        "idt-shape", "digan-wo-idt", "Table 3",
        "The identity loss makes shapes more consistent and believable.",
        "身份正则损失使形状更一致、更可信。",
        _beats("digan-wo-idt"),
        "SIDE and MAD, less the mean depth's: are DIGAN's below those of wo_idt?",
        "SIDE 与 MAD（减去平均深度之值）：DIGAN 是否低于 wo_idt。",
    ),
    Claim(
        "rega-shape", "digan-wo-rega", "Table 3",
        "The albedo loss makes shapes more consistent and believable.",
        "反照率正则损失使形状更一致、更可信。",
        _beats("digan-wo-rega"),
        "SIDE and MAD, less the mean depth's: are DIGAN's below those of wo_rega?",
        "SIDE 与 MAD（减去平均深度之值）：DIGAN 是否低于 wo_rega。",
    ),
    Claim(
        "beats-flat", "digan", BEYOND,
        "What DIGAN has learnt without being told a shape is better than a wall.",
        "DIGAN 未经任何三维监督所学到的形状优于平面。",
        _whole("flat"),
        "SIDE and MAD over all of the true held-out heads against those of a flat depth.",
        "留出真实头像全部像素上的 SIDE 与 MAD，与平面深度比较。",
    ),
    Claim(
        "beats-mean", "digan", BEYOND,
        "It is better than one head for all.",
        "优于以一个平均头像代替所有头像。",
        {m: _at_most(LESS.format(m), 0) for m in SHAPE},
        "SIDE and MAD of each held-out head, less those of the mean depth of true heads on the same pixels.",
        "逐个留出头像：SIDE 与 MAD 减去真实头像平均深度在相同像素上的值。",
    ),
    Claim(
        "beats-mean-whole", "digan", BEYOND,
        "It is so over all of the true head, where the ground that it says counts as its depth.",
        "在真实头像的全部像素上（其背景亦计作深度）也是如此。",
        _whole("mean"), "SIDE and MAD over all of the true head against those of the mean depth.",
        "真实头像全部像素上的 SIDE 与 MAD，与平均深度比较。",
    ),
    Claim(
        "beats-liftedgan", "digan", BEYOND,
        "Its shapes are better than LiftedGAN's by SIDE or MAD, and by neither clearly worse.",
        "其形状在 SIDE 或 MAD 上优于 LiftedGAN，且两者均不明显更差。",
        _against_liftedgan, "SIDE and MAD, less the mean depth's, against LiftedGAN's.",
        "SIDE 与 MAD（减去平均深度之值），与 LiftedGAN 比较。",
    ),
    Claim(
        "side-limit", "digan", BEYOND, "SIDE is at most 0.015.", "SIDE 不超过 0.015。",
        _at_most(WHOLE.format("SIDE"), 0.015), "SIDE over all of the true held-out heads.", "留出真实头像全部像素上的 SIDE。",
    ),
    Claim(
        "mad-limit", "digan", BEYOND, "MAD is at most 25 degrees.", "MAD 不超过 25 度。",
        _at_most(WHOLE.format("MAD (degrees)"), 25.0), "MAD over all of the true held-out heads.", "留出真实头像全部像素上的 MAD。",
    ),
    Claim(
        "yaw", "digan", BEYOND, "The yaw it finds correlates with the true yaw by at least 0.9.",
        "所得偏航角与真实偏航角的相关不低于 0.9。",
        _at_least("yaw correlation", 0.9), "Pearson's correlation over held-out heads.", "留出头像上的皮尔逊相关。",
    ),
    Claim(
        "identity-limit", "digan", BEYOND,
        "Turned by 30 degrees, a face keeps at least 85 % of what a true head keeps.",
        "旋转 30 度时，身份保持不低于真实头像的 85%。",
        _at_least(SHARE.format(30), 0.85), "The clay embedder's cosine, as a share of the true heads'.",
        "泥塑嵌入网络的余弦，占真实头像之比。",
    ),
)  # fmt: skip
