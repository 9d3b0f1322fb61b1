"""What Yan et al. 2023 say of their results, sentence by sentence, and how a table of ours is asked whether it says the same. Only words
can be compared: the text of the paper that we hold has none of the numbers of its Tables 1 to 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["CLAIMS", "NOT_RUN", "VERDICTS", "Claim", "Measured", "compare", "every", "judge"]


@dataclass(frozen=True)
class Measured:
    """A row's measurements of one metric: a value for each seed, each with its 95 % interval where there is one."""

    values: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Measured | None:
        """From metric rows, one of each seed; None where nothing was measured."""
        found = [r for r in rows if isinstance(r.get("value"), int | float)]
        if not found:
            return None

        def edge(row: Mapping[str, Any], name: str) -> float:
            return float(row[name] if isinstance(row.get(name), int | float) else row["value"])

        return cls(
            tuple(float(r["value"]) for r in found),
            tuple(edge(r, "low") for r in found),
            tuple(edge(r, "high") for r in found),
        )

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values)

    def times(self, factor: float) -> Measured:
        """All of it, multiplied."""
        return Measured(*(tuple(factor * v for v in each) for each in (self.values, self.lows, self.highs)))

    @property
    def hull(self) -> tuple[float, float]:
        """From the lowest to the highest end of the seeds' intervals."""
        return min(self.lows), max(self.highs)


PLACES = {
    "Table 1": "表 1", "Table 2": "表 2", "Table 3": "表 3", "Figure 3": "图 3", "Figure 5": "图 5", "Figure 6": "图 6",
    "Conclusion": "结论", "Beyond the paper": "论文之外",
}  # fmt: skip
"""Where in the paper, in Chinese."""

VERDICTS = ("agrees", "leans to it", "undecided", "leans against", "disagrees", "not measured")
"""agrees: every seed's value and every interval lie on the claimed side. leans: every value of two seeds or more does, the intervals
overlap. undecided: neither; so it is where one seed alone would say it."""


def compare(lower: Measured | None, higher: Measured | None) -> str:
    """How far "the first is lower than the second" holds, as one of VERDICTS."""
    if lower is None or higher is None:
        return "not measured"
    if lower.hull[1] < higher.hull[0]:
        return "agrees"
    if higher.hull[1] < lower.hull[0]:
        return "disagrees"
    if min(len(lower.values), len(higher.values)) < 2:
        return "undecided"
    if max(lower.values) < min(higher.values):
        return "leans to it"
    if max(higher.values) < min(lower.values):
        return "leans against"
    return "undecided"


def every(verdicts: Sequence[str]) -> str:
    """The verdict of a claim that is several at once: the least favourable part's."""
    measured = [v for v in verdicts if v != "not measured"]
    return max(measured, key=VERDICTS.index) if measured else "not measured"


Look = Callable[[str, str], "Measured | None"]
"""(kind of metric, row) -> what was measured. Kinds: frechet, kernel, ssim, ms-ssim, lpips to real, lpips diversity, accuracy."""

Tried = Callable[[Look], str]

AUGMENTED = ("ada", "apa", "diffusion")
GENERATORS = ("stylegan2", *AUGMENTED)
TRUTH = ("SSIM to the true picture", "MS-SSIM to the true picture")
"""A translator's measures by their names: paired at random SSIM says little of it."""
_SMALL = "few-shot"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper in our words, and the comparison that tries it (None: eyes must)."""

    name: str
    row: str
    """The row of the table it stands beside."""
    where: str
    en: str
    zh: str
    tried: Tried | Mapping[str, Tried] | None = None
    """Of several measures at once: each by the name of its kind."""
    tried_en: str = ""
    tried_zh: str = ""


def _lowest(row: str, others: Sequence[str], *kinds: str) -> dict[str, Tried]:
    return {k: lambda look, k=k: every([compare(look(k, row), look(k, other)) for other in others]) for k in kinds}


def _highest(row: str, others: Sequence[str], *kinds: str) -> dict[str, Tried]:
    return {k: lambda look, k=k: every([compare(look(k, other), look(k, row)) for other in others]) for k in kinds}


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "plain-similar", "stylegan2", "Table 1",
        "Plain StyleGAN2 has the highest SSIM and MS-SSIM of the four: its pictures are the most similar to real ones.",
        "在四种方法中，原始 StyleGAN2 的 SSIM 与 MS-SSIM 最高：其图像与真实图像最相似。",
        _highest("stylegan2", AUGMENTED, "ssim", "ms-ssim"),
        "SSIM and MS-SSIM against those of ADA, APA and Diffusion-GAN.",
        "将其 SSIM、MS-SSIM 与 ADA、APA、Diffusion-GAN 逐一比较。",
    ),
    Claim(
        "plain-faults", "stylegan2", "Figure 3",
        "Some pictures of plain StyleGAN2 have uneven colours and interrupted lines.",
        "原始 StyleGAN2 的部分图像颜色不均、线条中断。",
    ),
    Claim(
        "ada-best", "ada", "Table 1",
        "ADA has the lowest FID and KID of the four: the best effect.",
        "ADA 的 FID 与 KID 在四种方法中最低，生成效果最好。",
        _lowest("ada", ("stylegan2", "apa", "diffusion"), "frechet", "kernel"),
        "Fréchet and kernel distance against those of the other three.",
        "将弗雷歇距离与核距离同其余三种方法逐一比较。",
    ),
    Claim(
        "ada-accuracy", "ada", "Table 3",
        "The colours of ADA's masks are recognised much more often than those of plain StyleGAN2.",
        "ADA 生成的脸谱，其颜色分类准确率远高于原始 StyleGAN2。",
        _lowest("stylegan2", ("ada",), "accuracy"),
        "The judge's accuracy against that on StyleGAN2's pictures; any difference counts, the paper says much.",
        "与 StyleGAN2 的分类准确率相比较；差异无论大小均计入，而论文称“远高于”。",
    ),
    Claim(
        "ada-diverse", "ada", "Figure 6",
        "With augmentation the pictures are more diverse than without.",
        "采用数据增强后，生成图像的多样性高于未增强者。",
        _lowest("stylegan2", ("ada",), "lpips diversity"),
        "LPIPS among generated pictures against that of StyleGAN2.",
        "与 StyleGAN2 的生成图像间 LPIPS 相比较。",
    ),
    Claim(
        "apa-little", "apa", "Table 1",
        "APA improves unexpectedly little, less than ADA, the best; false images may disturb the discriminator.",
        "APA 的改进不如预期，逊于效果最好的 ADA；伪样本可能干扰了判别器的正常训练。",
        _lowest("ada", ("apa",), "frechet", "kernel"),
        "Fréchet and kernel distance: are APA's above ADA's?",
        "弗雷歇距离与核距离：APA 是否高于 ADA。",
    ),
    Claim(
        "apa-accuracy", "apa", "Table 3",
        "The colours of APA's masks are recognised much more often than those of plain StyleGAN2.",
        "APA 生成的脸谱，其颜色分类准确率远高于原始 StyleGAN2。",
        _lowest("stylegan2", ("apa",), "accuracy"),
        "The judge's accuracy against that on StyleGAN2's pictures; any difference counts, the paper says much.",
        "与 StyleGAN2 的分类准确率相比较；差异无论大小均计入，而论文称“远高于”。",
    ),
    Claim(
        "apa-diverse", "apa", "Figure 6",
        "With augmentation the pictures are more diverse than without.",
        "采用数据增强后，生成图像的多样性高于未增强者。",
        _lowest("stylegan2", ("apa",), "lpips diversity"),
        "LPIPS among generated pictures against that of StyleGAN2.",
        "与 StyleGAN2 的生成图像间 LPIPS 相比较。",
    ),
    Claim(
        "diffusion-worse", "diffusion", "Table 1",
        "After as many training pictures Diffusion-GAN is worse; the authors suppose that its discriminator has more to learn.",
        "在相同训练量下，Diffusion-GAN 变差；作者推测其判别器需要学习更多。",
        _lowest("stylegan2", ("diffusion",), "frechet", "kernel"),
        "Fréchet and kernel distance: are Diffusion-GAN's above StyleGAN2's?",
        "弗雷歇距离与核距离：Diffusion-GAN 是否高于 StyleGAN2。",
    ),
    Claim(
        "diffusion-diverse", "diffusion", "Figure 6",
        "With augmentation the pictures are more diverse than without.",
        "采用数据增强后，生成图像的多样性高于未增强者。",
        _lowest("stylegan2", ("diffusion",), "lpips diversity"),
        "LPIPS among generated pictures against that of StyleGAN2.",
        "与 StyleGAN2 的生成图像间 LPIPS 相比较。",
    ),
    Claim(
        "coco-spade", "cocosnet", "Table 2",
        "CoCosNet is significantly better than SPADE.",
        "CoCosNet 明显优于 SPADE。",
        _lowest("cocosnet", ("spade",), "frechet", "kernel") | _highest("cocosnet", ("spade",), *TRUTH),
        "Fréchet and kernel distance, and SSIM and MS-SSIM to the true picture, against those of SPADE. (Paired at random the last two say "
        "little: see the table.)",
        "将弗雷歇距离、核距离以及与真实图像的 SSIM、MS-SSIM 同 SPADE 逐一比较（随机配对的 SSIM 说明不了问题，见上表）。",
    ),
    Claim(
        "coco-spade-vae", "cocosnet", "Beyond the paper",
        "It is better too than SPADE with an encoder of styles, which sees the reference.",
        "它也优于带风格编码器、能看到参考图的 SPADE。",
        _lowest("cocosnet", ("spade-vae",), "frechet", "kernel") | _highest("cocosnet", ("spade-vae",), *TRUTH),
        "The same against those of SPADE-VAE, which the paper does not have.",
        "同上，与论文中没有的 SPADE-VAE 比较。",
    ),
    Claim(
        "coco-generators", "cocosnet", "Table 2",
        "FID and KID of CoCosNet are below those of StyleGAN2-ADA, the best generator.",
        "CoCosNet 的 FID 与 KID 低于最佳生成模型 StyleGAN2-ADA。",
        _lowest("cocosnet", ("ada",), "frechet", "kernel"),
        "Fréchet and kernel distance against those of ADA. CoCosNet is lent lines and colours of held-out masks; a generator sees neither.",
        "将弗雷歇距离与核距离同 ADA 比较。CoCosNet 使用留出脸谱的线条与颜色，生成模型则两者皆未见。",
    ),
    Claim(
        "coco-similar", "cocosnet", "Table 2",
        "SSIM and MS-SSIM of CoCosNet are higher than those of the generators, since its structures come from real pictures.",
        "CoCosNet 的 SSIM 与 MS-SSIM 高于各生成模型，因其结构取自真实图像。",
        _highest("cocosnet", GENERATORS, "ssim", "ms-ssim"),
        "SSIM and MS-SSIM, paired at random as in Table A, against those of the four generators.",
        "按表 A 的随机配对，将 SSIM 与 MS-SSIM 同四种生成模型逐一比较。",
    ),
    Claim(
        "coco-diverse", "cocosnet", "Figure 6",
        "Translated pictures are less diverse than generated ones, and more like real ones.",
        "翻译所得图像的多样性低于生成图像，而与真实图像更相似。",
        _lowest("cocosnet", GENERATORS, "lpips diversity", "lpips to real"),
        "LPIPS among its pictures and to real ones against those of the four generators.",
        "将其图像之间及与真实图像之间的 LPIPS 同四种生成模型逐一比较。",
    ),
    Claim(
        "coco-accuracy", "cocosnet", "Table 3",
        "The colours of CoCosNet's masks are recognised most often of all methods.",
        "在所有方法中，CoCosNet 生成脸谱的颜色分类准确率最高。",
        _highest("cocosnet", (*GENERATORS, "spade"), "accuracy"),
        "The judge's accuracy against that on the pictures of every other network of the paper.",
        "与论文中其余各网络的分类准确率逐一比较。",
    ),
    Claim(
        "coco-mixes", "cocosnet", "Conclusion",
        "In some regions of complex patterns CoCosNet's colours mix.",
        "图案复杂时，CoCosNet 的部分区域存在颜色混合。",
    ),
    Claim(
        "spade-messy", "spade", "Figure 5",
        "SPADE's colours and lines are messy; only the rough features of a mask remain.",
        "SPADE 生成的图像颜色与线条杂乱，只有脸谱的大致特征，无法使用。",
    ),
    Claim(
        "few-shot", _SMALL, "Conclusion",
        "Augmentation remains the simplest and most effective way against an overfitting discriminator, and improves the pictures.",
        "数据增强仍是避免判别器过拟合、提高生成图像质量的最简单、最有效的方法。",
        lambda look: min(
            (compare(look("frechet", f"{row} fewest"), look("frechet", "stylegan2 fewest")) for row in AUGMENTED),
            key=VERDICTS.index,
        ),
        "Fréchet distance with the fewest pictures, where overfitting is worst: is the best augmented row's below plain StyleGAN2's?",
        "图像最少、过拟合应最严重时的弗雷歇距离：最佳的增强方法是否低于原始 StyleGAN2。",
    ),
)  # fmt: skip


def judge(look: Look, claims: Sequence[Claim] = CLAIMS) -> list[dict[str, Any]]:
    """Every claim with its verdict, as plain values, ready for json."""
    return [
        {
            "name": c.name,
            "row": c.row,
            "where": {"en": c.where, "zh": PLACES[c.where]},
            "says": {"en": c.en, "zh": c.zh},
            "tried": {"en": c.tried_en, "zh": c.tried_zh} if c.tried else None,
            **_verdict(c.tried, look),
        }
        for c in claims
    ]


def _verdict(tried: Tried | Mapping[str, Tried] | None, look: Look) -> dict[str, Any]:
    if not isinstance(tried, Mapping):
        return {"verdict": tried(look) if tried else "eyes"}
    parts = {kind: each(look) for kind, each in tried.items()}
    return {"verdict": every(list(parts.values())), "parts": parts}


NOT_RUN: tuple[dict[str, dict[str, str]], ...] = (
    {
        "what": {"en": "The paper's own 1782 collected pictures", "zh": "论文自行收集的 1782 张原始图像"},
        "why": {"en": "Their files were not to be had, and no licence of theirs is known. Masks drawn from rules stand in for them.",
                "zh": "我们未能取得这些图像文件，其许可亦不明。此处以按规则绘制的脸谱代替。"},
    },
    {
        "what": {"en": "The judgement of the Peking Opera Facial Masks Expert Group", "zh": "京剧脸谱专家组的评价"},
        "why": {"en": "No expert has looked at these pictures.", "zh": "尚无专家审看这些图像。"},
    },
    {
        "what": {"en": "The manual screening of pictures into seven colours (Table 3)", "zh": "人工筛选七类颜色的图像（表 3）"},
        "why": {"en": "A fixed colour rule sorts the generated pictures; real ones are sorted by it as well, in a row of their own.",
                "zh": "生成图像改由固定的颜色规则分类；真实图像亦另列一行，以同一规则分类。"},
    },
)  # fmt: skip
