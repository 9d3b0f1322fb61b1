# ruff: noqa: E501  (a sentence stays on one line, so that the two languages can be read against each other)
"""Every sentence and label of a report, in English and in Chinese. A key that is missing is an error, not an English word in a Chinese page."""

from __future__ import annotations

import re
from typing import Any

from lianpu.errors import UsageError

__all__ = ["LANGUAGES", "WORDS", "Words"]

LANGUAGES = ("en", "zh")

# key -> (English, Chinese); {names} are filled in, the same ones in both
WORDS: dict[str, tuple[str, str]] = {
    # --- the page
    "kicker.run": ("A training run", "训练记录"),
    "kicker.runs": ("A comparison of runs", "训练对比"),
    "kicker.rows": ("An evaluation", "评测"),
    "kicker.mixed": ("A report", "报告"),
    "kicker.experiment": ("An experiment, repeated", "实验复现"),
    "title.runs": ("{n} training runs", "{n} 次训练"),
    "title.rows": ("Measurements of {name}", "{name} 的测量结果"),
    "title.many_rows": ("{n} evaluations side by side", "{n} 项评测对照"),
    "title.mixed": ("{n} sources", "{n} 项来源"),
    "title.experiment": ("Peking opera masks, generated and painted", "京剧脸谱的生成与上色"),
    "contents": ("Contents", "目录"),
    "footer": (
        "Made by lianpu {version}. This page needs no network; the same numbers lie beside it as {csv} and {json}. Folded parts are printed when they are open.",
        "由 lianpu {version} 生成。本页无需联网；同样的数据另存为 {csv} 与 {json}。折叠部分展开后方会打印。",
    ),
    "figure": ("Figure {n}.", "图 {n}"),
    "table": ("Table {n}.", "表 {n}"),
    "unknown": ("not recorded", "未记录"),
    "list": (", ", "、"),
    # --- sections
    "section.facts": ("What was run", "运行内容"),
    "section.samples": ("Pictures", "图像"),
    "section.curves": ("How training went", "训练过程"),
    "section.metrics": ("Measurements", "测量结果"),
    "section.compare": ("Side by side", "并列对照"),
    "section.rights": ("Rights and provenance", "权利与来源"),
    "section.cost": ("Recipe and cost", "配方与成本"),
    "section.settings": ("All settings", "全部设置"),
    "section.missing": ("What was not run", "未运行的部分"),
    # --- runs
    "run.recipe": ("Recipe", "配方"),
    "run.data": ("Data set", "数据集"),
    "run.pictures": ("Training pictures", "训练图像"),
    "run.resolution": ("Resolution", "分辨率"),
    "run.px": ("{n} px", "{n} 像素"),
    "run.shown": ("Pictures shown", "已展示图像"),
    "run.kimg_of": ("{kimg} of {total} thousand", "{kimg} / {total} 千张"),
    "run.time": ("Training time", "训练时间"),
    "run.speed": ("Speed", "速度"),
    "run.per_second": ("{n} pictures a second", "每秒 {n} 张"),
    "run.device": ("Computed on", "计算设备"),
    "run.starts": ("Started", "启动次数"),
    "run.times": ("{n} times", "{n} 次"),
    "run.seed": ("Seed", "随机种子"),
    "run.name": ("Run", "训练"),
    "run.no_tick": ("This run has not logged anything yet.", "此次训练尚无日志。"),
    "run.first": ("{name}: first samples, after {kimg} thousand pictures.", "{name}：展示 {kimg} 千张图像后的首批样本。"),
    "run.last": ("{name}: last samples, after {kimg} thousand pictures.", "{name}：展示 {kimg} 千张图像后的最新样本。"),
    "run.alt": ("A grid of generated masks of {name} after {kimg} thousand training pictures", "{name} 在展示 {kimg} 千张训练图像后生成的脸谱网格"),
    "run.same_codes": ("All sheets of a run show the same latent codes; nothing was selected.", "同一次训练的样本表使用相同的潜在编码，未经挑选。"),
    "curve.kimg": ("training pictures shown (thousands)", "已展示的训练图像（千张）"),
    "curve.loss": ("loss", "损失"),
    "curve.loss_g": ("generator", "生成器"),
    "curve.loss_d": ("discriminator", "判别器"),
    "curve.losses": ("Losses of {name}. They are no measure of quality; they show whether training is steady.", "{name} 的损失曲线。损失不代表质量，只反映训练是否稳定。"),
    "curve.p": ("strength p", "强度 p"),
    "curve.r": ("overfitting rₜ", "过拟合指标 rₜ"),
    "curve.p_caption": ("Strength p of what the discriminator is shown, from 0 (the pictures as they are) upwards: with ADA how likely a transform is, with APA how many generated pictures pass as real, with Diffusion-GAN what the longest chain of noise follows. The three do not compare.", "判别器所见增强的强度 p，0 表示原图：ADA 为各变换的概率，APA 为充作真实图像的生成图像之比例，Diffusion-GAN 则决定噪声链的最大长度。三者不可相互比较。"),
    "curve.r_caption": ("Overfitting rₜ, the mean sign of the discriminator's score of real pictures: 0 is none, 1 is complete.", "过拟合指标 rₜ：判别器对真实图像评分符号的均值，0 为无过拟合，1 为完全过拟合。"),
    # --- metric rows
    "rows.metric": ("Measure", "指标"),
    "rows.value": ("Value", "数值"),
    "rows.interval": ("95 % interval", "95% 区间"),
    "rows.n": ("n", "n"),
    "rows.reference": ("reference n", "参照 n"),
    "rows.extractor": ("Features", "特征"),
    "rows.resize": ("Resize", "缩放"),
    "rows.pairing": ("Pairing", "配对"),
    "rows.note": ("Notes", "备注"),
    "rows.seed": ("Seed", "种子"),
    "rows.better": ("Better", "优劣方向"),
    "better.lower": ("lower", "越低越好"),
    "better.higher": ("higher", "越高越好"),
    "better.closer": ("closer to real", "越接近真实越好"),
    "better.closer_to": ("closer to {value}", "越接近 {value} 越好"),
    "better.": ("–", "–"),
    "rows.undefined": ("undefined", "无定义"),
    "rows.caption": (
        "Measurements of {name}. n: pictures measured; intervals by bootstrap unless a note says otherwise.",
        "{name} 的测量结果。n 为参与测量的图像数；除备注另有说明外，区间由自助法得出。",
    ),
    "rows.compare_caption": (
        "The same measures of {n} sources; below each value its 95 % interval and n. Bold: a value whose interval lies beyond all others'; a difference smaller than the intervals is none.",
        "{n} 项来源的同一指标；数值下方为 95% 区间与 n。粗体：其区间优于其余各项；小于区间的差异不构成差异。",
    ),
    "rows.details": ("Protocol of every row: features and their hashes, resize, pairing, seed", "各行的协议：特征及其哈希、缩放、配对与种子"),
    # --- what a measure is, by its key
    "gloss.fid": ("Fréchet distance of two sets of pictures, by the standard network", "两组图像的弗雷歇距离（标准网络）"),
    "gloss.kid": ("kernel distance of two sets of pictures, by the standard network", "两组图像的核距离（标准网络）"),
    "gloss.fd": ("Fréchet distance of two sets of pictures, by another network", "两组图像的弗雷歇距离（其他网络）"),
    "gloss.kd": ("kernel distance of two sets of pictures, by another network", "两组图像的核距离（其他网络）"),
    "gloss.precision": ("share of generated pictures that lie among real ones", "精确率：落在真实图像邻域内的生成图像比例"),
    "gloss.recall": ("share of real pictures that lie among generated ones", "召回率：落在生成图像邻域内的真实图像比例"),
    "gloss.density": ("how many real neighbourhoods hold a generated picture", "密度：生成图像所落入的真实邻域数"),
    "gloss.coverage": ("share of real neighbourhoods that hold a generated picture", "覆盖率：含有生成图像的真实邻域比例"),
    "gloss.ssim": ("structural similarity of generated to real pictures", "生成图像与真实图像的结构相似度"),
    "gloss.ms-ssim": ("structural similarity at several scales", "多尺度结构相似度"),
    "gloss.lpips": ("perceptual distance of generated to real pictures", "生成图像与真实图像的感知距离"),
    "gloss.diversity": ("perceptual distance among generated pictures", "生成图像之间的感知距离（多样性）"),
    "gloss.memorisation": (
        "chance that a generated picture is nearer to a training picture than a held-out real one is",
        "生成图像比留出的真实图像更接近训练图像的概率（记忆）",
    ),
    "gloss.palette": ("share of the skin painted in another of the seven colours", "面部所涂七色中用色不同的比例"),
    "gloss.symmetry": ("correlation of the lightness with its mirror image", "明度与其镜像的相关（对称性）"),
    # --- rights
    "rights.status": ("Rights", "权利状况"),
    "rights.known": ("known", "已知"),
    "rights.unknown": ("unknown", "不明"),
    "rights.licences": ("Licences", "许可"),
    "rights.fingerprint": ("Fingerprint of the data", "数据指纹"),
    "rights.model": ("Model, SHA-256", "模型 SHA-256"),
    "rights.generated": ("The pictures shown as generated were made by a model; their files say so (IPTC digital source type).", "标为“生成”的图像由模型生成，其文件中已注明（IPTC 数字来源类型）。"),
    "rights.warning": ("The rights of some training pictures are unknown. Neither the models nor their pictures should be published before that is settled.", "部分训练图像的权利状况不明。在此问题解决之前，不应发布模型及其生成的图像。"),
    "rights.drawn": ("Every picture called real here was drawn by lianpu from rules and is free to use (CC0-1.0).", "此处所称“真实”图像均由 lianpu 按规则绘制，可自由使用（CC0-1.0）。"),
    "rights.sources": ("Sources", "来源"),
    # --- cost
    "cost.row": ("Row", "方法"),
    "cost.time": ("Training time", "训练时间"),
    "cost.parameters": ("Parameters (G + D)", "参数量（生成器 + 判别器）"),
    "cost.flops": ("GFLOP a picture", "每张图像 GFLOP"),
    "cost.speed": ("Pictures a second", "每秒图像数"),
    "cost.caption": (
        "What each run cost. Time is that of the training loop, resumes included. The machine ({machine}) was shared with other work to different degrees: times do not compare the rows.",
        "各次训练的成本。时间为训练循环用时（含续训）。机器（{machine}）同时承担其他任务，负载各不相同，时间不能用于比较各行。",
    ),
    "cost.changed": ("Changed in the recipes, beside the number of pictures:", "除训练量外，对配方所作的更改："),
    # --- the experiment
    "exp.sub": ("Yan et al. 2023 · scale {scale} · {state}", "Yan 等 2023 · 规模 {scale} · {state}"),
    "exp.finished": ("complete", "已完成"),
    "exp.partial": ("not complete: {done} of {total} stages done", "未完成：{total} 个阶段中已完成 {done} 个"),
    "exp.lead": (
        "Four ways of training one generator, StyleGAN2, on the same masks, from the same settings, for the same number of pictures: as it is, with ADA, with APA, and as Diffusion-GAN. Only what the discriminator is shown differs (and that of Diffusion-GAN is told the noise step).",
        "同一生成器 StyleGAN2，在相同的脸谱、相同的设置与相同的训练量下，以四种方式训练：原始方式、ADA、APA 与 Diffusion-GAN。差别只在于判别器所看到的图像（Diffusion-GAN 的判别器另知噪声步数）。",
    ),
    "exp.drawn": (
        "All masks here are drawn by a program from rules, those of the data set too: none was collected or painted by hand.",
        "本页的脸谱，包括数据集中的，均由程序按规则绘制，并非收集或手绘的实物脸谱。",
    ),
    "exp.scale": (
        "This is the scale {name}: {size} px, {images} pictures shown to a generator, {n} seeds. What is found here holds for it.",
        "本次规模为 {name}：{size} 像素，每个生成模型训练 {images} 张，{n} 个随机种子。以下结论仅就此规模而言。",
    ),
    "exp.lead.painters": (
        "Beside them two networks that paint a line drawing: CoCosNet, after a coloured reference, and SPADE, with and without an encoder of the reference's style; and the matcher, which learns nothing.",
        "另有两种为线稿上色的网络：CoCosNet（依照彩色参考图）与 SPADE（有、无参考图风格编码器），以及无需学习的匹配法。",
    ),
    "exp.numbers": (
        "The paper's tables cannot be set beside ours: the text that this was written from has none of their numbers. What is compared is what the paper says in words.",
        "无法与论文的表格逐数对照：本工作所依据的论文文本不含表中数值。此处对照的是论文的文字结论。",
    ),
    "exp.rehearsal": (
        "This is a rehearsal: it shows that everything works. Its runs are far too short for any of its numbers to say something about the methods.",
        "这只是一次排演，用以验证流程可行。训练极短，其中任何数值都不能说明方法的优劣。",
    ),
    "exp.protocol": ("How it was measured", "测量方式"),
    "exp.protocol.data": (
        "Data: {originals} masks drawn from rules, half for training and half held out; each counts four pictures (mirror × colour change, as in the paper). Near-duplicates and relatives of a picture lie on one side: {train} pictures to train on, {test} held out, at {size} px.",
        "数据：按规则绘制 {originals} 张脸谱，一半用于训练，一半留作检验；每张计四幅图像（镜像 × 变色，同论文）。近似重复及同源图像只出现在一侧：训练 {train} 幅，留出 {test} 幅，{size} 像素。",
    ),
    "exp.protocol.own": (
        "Data: the data set {name}; {train} pictures to train on, {test} held out, at {size} px.",
        "数据：数据集 {name}；训练 {train} 幅，留出 {test} 幅，{size} 像素。",
    ),
    "exp.protocol.train": (
        "Training: {images} pictures a run of Table A, seeds {seeds}; batch, learning rates and networks are one and the same for its rows, but that Diffusion-GAN's discriminator is told the noise step.",
        "训练：表 A 各方法每次展示 {images} 张图像，随机种子 {seeds}；批量、学习率与网络均相同，唯 Diffusion-GAN 的判别器另知噪声步数。",
    ),
    "exp.protocol.last": (
        "The last model of each run is measured. None is chosen by its score: choosing the best snapshot on the pictures one reports would flatter it.",
        "测量的是每次训练的最后一个模型，不按得分挑选：用所报告的图像来挑选最佳快照会高估结果。",
    ),
    "exp.protocol.reference": (
        "Reference: the held-out pictures, which no model has seen. Much of the literature compares with the training pictures instead, which rewards a model that repeats them; such numbers are lower and cannot be set beside these.",
        "参照：模型从未见过的留出图像。许多文献以训练图像为参照，这会奖励复制训练图像的模型；那样的数值更低，不能与此处并列。",
    ),
    "exp.protocol.fakes": (
        "Generated pictures: {n} of each model, seeds 0 upwards, without truncation.",
        "生成图像：每个模型 {n} 幅，种子自 0 起，不作截断。",
    ),
    "exp.protocol.painted": (
        "Painted pictures: {n} held-out masks as line drawings, each painted after another of them; the translators were shown {images} sketches of training masks.",
        "上色图像：取 {n} 幅留出脸谱的线稿，各依另一幅留出脸谱上色；翻译网络的训练量为 {images} 幅训练脸谱的线稿。",
    ),
    "exp.protocol.floor": (
        "The line of the data's own masks measures training pictures against the held-out ones: two halves of the same masks. No generator can be expected at a lesser distance. SSIM and MS-SSIM compare pictures paired by lot, so that not 1 but this line is their goal, and uniform pictures may lie above it.",
        "“数据集脸谱”一行以训练图像对留出图像测量，即同一批脸谱的两半：不能期望生成模型的距离小于此值。SSIM 与 MS-SSIM 比较随机配对的图像，其目标并非 1，而是此行的值；千篇一律的图像反而可能高于它。",
    ),
    "exp.protocol.seeds": (
        "A value is the mean over the seeds, which stand below it one by one; the interval reaches from the lowest to the highest end of the seeds' own 95 % bootstrap intervals. A few seeds are examples, no distribution.",
        "数值为各随机种子的均值，其下列出每个种子的值；区间从各随机种子 95% 自助区间的最低端到最高端。种子很少，仅作示例，不代表分布。",
    ),
    "exp.real": ("The data's own masks (training against held-out)", "数据集脸谱（训练对留出）"),
    "exp.table1": ("Quality: Table 1 of the paper", "质量：论文表 1"),
    "exp.table1.caption": (
        "Quality of the generated masks. Arrows say which way is better; bold where a row's interval lies beyond all others'. {headline}",
        "生成脸谱的质量。箭头表示优劣方向；区间优于其余各行者以粗体标出。{headline}",
    ),
    "exp.substitute": (
        "{name} is not the standard {standard}: its features are others, and the numbers compare within this page only.",
        "{name} 并非标准的 {standard}：所用特征不同，数值只能在本页之内比较。",
    ),
    "exp.method": ("Method", "方法"),
    "exp.seeds_of": ("seeds: {values}", "各随机种子：{values}"),
    "exp.claims": ("What the paper says, and what was found", "论文结论与本次结果"),
    "exp.claims.caption": (
        "The paper's statements in our words, beside the row they speak of. Agrees, disagrees: every seed and every interval lie on that side. Leans: every seed does, two or more, but intervals overlap. Undecided: neither. A claim about several measures or several rivals gets its least favourable verdict; where measures differ, each stands below.",
        "论文的陈述（由本页转述），置于其所指的方法旁。“一致”“不一致”：所有种子及其区间都在该侧；“倾向”：两个以上的种子都在该侧，但区间重叠；“不能判定”：两者皆非。涉及多项指标或多个对手的陈述取其中最不利者；各指标不同时，逐项列于其下。",
    ),
    "exp.claim.says": ("The paper says", "论文所述"),
    "exp.claim.where": ("Where", "出处"),
    "exp.claim.tried": ("Tried by", "检验方式"),
    "exp.claim.verdict": ("Found here", "此处结果"),
    "exp.claim.look": ("Look at the pictures.", "请看图像。"),
    "exp.claim.part": ("{kind}: {verdict}", "{kind}：{verdict}"),
    "verdict.agrees": ("agrees", "一致"),
    "verdict.leans to it": ("leans to it", "倾向一致"),
    "verdict.undecided": ("undecided", "不能判定"),
    "verdict.leans against": ("leans against", "倾向相反"),
    "verdict.disagrees": ("disagrees", "不一致"),
    "verdict.not measured": ("not measured", "未测量"),
    "verdict.eyes": ("for the eye", "需目视判断"),
    "exp.table2": ("Translation: Table 2 of the paper", "图像翻译：论文表 2"),
    "exp.table2.caption": (
        "Quality of the painted masks, measured as in the first table. {headline}",
        "上色脸谱的质量，测量方式同第一张表。{headline}",
    ),
    "exp.table2.note": (
        "Lines and colours of these pictures come from held-out masks, so their distances to held-out masks are no measure of invention: copied references would lie near 0. SSIM and MS-SSIM are paired by lot here too and say little. The matcher and SPADE-VAE are not in the paper. Read all this beside the next table.",
        "这些图像的线条与颜色取自留出脸谱，因此其与留出脸谱的距离并不反映创造能力：若直接复制参考图，距离便接近 0。此处的 SSIM 与 MS-SSIM 同为随机配对，说明不了多少。匹配法与 SPADE-VAE 为论文所无。请与下表并读。",
    ),
    "exp.table2.truth": (
        "Held to the true picture, the lines and the true places, on {n} sketches, each painted after its own picture, deformed; for the edges after another mask, as above. (Plain SPADE sees no reference: its colour error is no fault of matching.) This table is not in the paper.",
        "以 {n} 幅线稿，与真实图像、线条及真实对应位置相比：各以其原图变形后为参考图上色；线条各项则同上表，以另一幅脸谱为参考图。（SPADE 不看参考图，其色差并非匹配之误。）论文中无此表。",
    ),
    "exp.figure5": ("Sketch, reference, result: Figures 4 and 5 of the paper", "线稿、参考图与结果：论文图 4、图 5"),
    "exp.figure5.lead": (
        "The first sketches, unselected; each method has the same sketches and references.",
        "最初若干幅线稿，未经挑选；各方法使用相同的线稿与参考图。",
    ),
    "exp.figure5.one": ("{name}: sketch, reference, result, two examples a row.", "{name}：线稿、参考图、结果，每行两例。"),
    "exp.figure5.alt": ("A grid of sketches, references and results: {name}", "线稿、参考图与结果的网格：{name}"),
    "exp.figure3": ("Visual comparison: Figure 3 of the paper", "视觉比较：论文图 3"),
    "exp.figure3.one": (
        "{name}, seed {seed}: the first {n} pictures, unselected, without truncation.",
        "{name}，种子 {seed}：最初 {n} 幅，未经挑选，不作截断。",
    ),
    "exp.figure3.real": ("The data's own masks, held out: {n} of them, chosen by lot.", "数据集脸谱（留出）：随机抽取 {n} 幅。"),
    "exp.figure3.alt": ("A grid of {n} masks: {name}", "{n} 张脸谱的网格：{name}"),
    "exp.figure6": ("Diversity: Figure 6 of the paper", "多样性：论文图 6"),
    "exp.figure6.caption": (
        "LPIPS, the perceptual distance between two pictures. Left bar: generated to held-out ones, where lower is more alike. Right bar: among generated ones, where higher is more diverse. Whiskers are the intervals of the seeds, as in the first table.",
        "LPIPS，即两幅图像之间的感知距离。左柱：生成与留出图像之间，越低越相似；右柱：生成图像之间，越高越多样。误差线为各种子的区间，同第一张表。",
    ),
    "exp.lpips.real": ("generated to real", "生成—真实"),
    "exp.lpips.fake": ("among generated", "生成—生成"),
    "exp.lpips.axis": ("LPIPS", "LPIPS"),
    "exp.table3": ("The colour judge: Table 3 of the paper", "颜色分类：论文表 3"),
    "exp.table3.lead": (
        "A ResNet18 learns the seven main colours from {train} training masks and then looks at pictures it has not seen, {per_class} of each colour. Generated masks have no label of their own: a fixed rule of colour measurement sorts them, where the paper sorted by hand, and the first {per_class} of each colour that it is sure enough of are taken; the data's own masks are sorted both by their true label and by that rule.",
        "ResNet18 从 {train} 张训练脸谱学习七种主色，再判别未见过的图像，每种颜色 {per_class} 幅。生成的脸谱本无标签：论文由人工筛选，此处由固定的颜色测量规则分类，取每种颜色中把握足够的前 {per_class} 幅；数据集脸谱则分别按真实标签与该规则分类。",
    ),
    "exp.table3.caption": ("How often the judge names the colour that the label names; exact 95 % intervals (Clopper–Pearson).", "分类器所判颜色与标签一致的比例；精确 95% 区间（Clopper–Pearson）。"),
    "exp.judge.all": ("All layers were trained, from random weights: ResNet18's ImageNet weights were not at hand.", "未取得 ResNet18 的 ImageNet 权重，因此自随机权重训练全部层。"),
    "exp.judge.last": ("Only the last layer was trained, on ImageNet weights, as in the paper.", "与论文相同：以 ImageNet 权重初始化，仅训练最后一层。"),
    "exp.accuracy": ("Accuracy", "准确率"),
    "exp.correct": ("Correct", "正确数"),
    "exp.real.label": ("The data's own masks, by their true label", "数据集脸谱（真实标签）"),
    "exp.real.rule": ("The data's own masks, by the rule", "数据集脸谱（规则分类）"),
    "exp.confusion": ("Confusion matrices: row, the label; column, what the judge said", "混淆矩阵：每行为标签，每列为判定结果"),
    "exp.confusion.one": ("{name}: rows, the label; columns, what the judge said.", "{name}：每行为标签，每列为判定结果。"),
    "exp.label": ("Label", "标签"),
    "exp.few": ("Little data: the few-shot curve", "小数据：少样本曲线"),
    "exp.few.lead": (
        "The paper's reason for augmentation is that little data lets the discriminator overfit. Here every row is trained again on few originals ({counts}), as long as before, and measured against the same held-out masks.",
        "论文采用数据增强的理由，是小数据会使判别器过拟合。此处每种方法再以少量原图（{counts} 张）训练同样长的时间，并以相同的留出脸谱测量。",
    ),
    "exp.few.caption": (
        "{metric} against the number of training originals, each counting four pictures. Seed {seeds}, one run each; bars are its 95 % bootstrap intervals. The upright axis does not begin at 0.",
        "{metric} 随训练原图数量的变化，每张计四幅图像。随机种子 {seeds}，各训练一次；误差线为该次训练的 95% 自助区间。纵轴不自 0 起。",
    ),
    "exp.few.table": ("{metric}, the same as numbers.", "{metric}，数值如下。"),
    "exp.few.x": ("training originals (logarithmic)", "训练原图数（对数轴）"),
    "exp.few.all": ("{n} originals", "{n} 张原图"),
    "exp.training.lead": ("The first seed of each row.", "各方法的第一个随机种子。"),
    "exp.training": ("How the runs went", "训练过程"),
    "exp.everything": ("Every measurement", "全部测量结果"),
    "exp.everything.one": ("All measures of {name}", "{name} 的全部指标"),
    "exp.missing.what": ("What", "内容"),
    "exp.missing.why": ("Why", "原因"),
    "exp.missing.caption": ("What this page does not show, and why.", "本页未包含的内容及其原因。"),
    "exp.nothing": ("Nothing has been evaluated yet.", "尚无评测结果。"),
    "exp.seed": ("{name}, seed\u00a0{seed}", "{name}，种子\u00a0{seed}"),
    "exp.seed_few": ("{name}, seed {seed}, {n} originals", "{name}，种子 {seed}，{n} 张原图"),
    # --- the experiment of 2024
    "lift.title": ("Faces lifted to 3D", "人脸的三维化"),
    "lift.sub": ("Yan et al. 2024 · scale {scale} · {state}", "Yan 等 2024 · 规模 {scale} · {state}"),
    "lift.lead": (
        "A StyleGAN2, the teacher, has learnt to paint clay heads. DIGAN and LiftedGAN take its faces apart into shape, pose, light and texture without ever being told one of them. Because the heads were drawn from known shapes, it can be measured here how true they are, which the paper could not.",
        "教师模型 StyleGAN2 学会绘制泥塑头像；DIGAN 与 LiftedGAN 在从未被告知形状、姿态、光照与纹理的情况下，将其人脸分解为这些成分。由于头像由已知形状绘制，此处可以测量其真实程度，这是论文未能做到的。",
    ),
    "lift.shapes": ("Shape, pose and light against the truth", "形状、姿态与光照：与真值比较"),
    "lift.shapes.lead": (
        "Held-out heads, which no model has seen, are first found among the teacher's codes (once for all lifters), then lifted. Depth and normals are compared where both show a head, in the picture's own view. A flat depth and the mean depth of true heads are what a lifter must beat.",
        "先将任何模型都未见过的留出头像在教师模型的编码中找出（各方法共用），再作三维化。在图像自身的视角下，于两者均为头像处比较深度与法线。三维化方法至少应优于平面深度与真实头像的平均深度。",
    ),
    "lift.shapes.caption": (
        "{heads} held-out heads, {pictures} pictures. SIDE: scale-invariant depth error; MAD: mean angle between normals, degrees; − mean's: less that of the mean depth of true heads on the same pixels. Bold: an interval beyond all others'.",
        "留出头像 {heads} 个，图像 {pictures} 幅。SIDE 为尺度不变深度误差；MAD 为法线平均夹角（度）；− 平均：减去真实头像平均深度在相同像素上的值。粗体：区间优于其余各项。",
    ),
    "lift.more.caption": (
        "How well the heads cover the true ones, depth within each picture, how far two views of one head are apart, and the angle between the normals of new faces and of their mirror images.",
        "头部与真实头像的重合、画面内的深度相关、同一头像两视角之差，以及新人脸与其镜像法线的夹角。",
    ),
    "lift.pose.caption": (
        "The same heads: view and light that are found of each. What straight ahead means no lifter is told, so the median offset is taken away from rotations first.",
        "同样的头像：所得视角与光照。各方法从未被告知何为正面，故先从旋转中减去偏移的中位数。",
    ),
    "lift.side": ("SIDE", "SIDE（深度误差）"),
    "lift.mad": ("MAD, °", "MAD（法线夹角，°）"),
    "lift.side.less": ("SIDE − mean's", "SIDE − 平均"),
    "lift.mad.less": ("MAD − mean's, °", "MAD − 平均，°"),
    "lift.asymmetry": ("asymmetry, °", "不对称，°"),
    "lift.iou": ("head found (IoU)", "头部重合（IoU）"),
    "lift.depth": ("depth correlation", "深度相关"),
    "lift.yaw": ("yaw correlation", "偏航相关"),
    "lift.rotation": ("rotation error, °", "旋转误差，°"),
    "lift.light": ("light direction error, °", "光照方向误差，°"),
    "lift.views": ("two views' depths apart", "两视角深度之差"),
    "lift.flat": ("flat depth", "平面深度"),
    "lift.mean": ("mean depth of true heads", "真实头像的平均深度"),
    "lift.table1": ("Visual quality: Table 1 of the paper", "视觉质量：论文表 1"),
    "lift.table1.caption": (
        "Distance of generated to held-out pictures; lifters are rendered from their own view. {headline}",
        "生成图像与留出图像的距离；三维化模型按其自身视角渲染。{headline}",
    ),
    "lift.table1.note": (
        "A lifter sees nothing but what its teacher paints, so it can hardly come nearer to the data than the teacher. A better distance does not mean a better shape.",
        "三维化模型只见过教师模型所绘图像，因而难以比教师更接近数据。距离更小并不意味着形状更好。",
    ),
    "lift.table2": ("Identity under rotation: Table 2 of the paper", "旋转时的身份保持：论文表 2"),
    "lift.table2.lead": (
        "Cosine between embeddings of {n} new faces from the front and turned to either side.",
        "{n} 张新人脸的正面与左右旋转视图之间的嵌入余弦。",
    ),
    "lift.table2.ceiling": (
        "No embedder is blind to pose, so the same number of true heads, truly turned under a light that stays, is the ceiling.",
        "任何嵌入网络都会受姿态影响，因此以真实头像在固定光照下真实旋转所得的数值为上限。",
    ),
    "lift.lead.own": (
        "A StyleGAN2, the teacher, has learnt to paint the pictures of a data set. DIGAN and LiftedGAN take its pictures apart into shape, pose, light and texture without ever being told one of them. What is measured here is what the paper measures: the true shapes are not known.",
        "教师模型 StyleGAN2 学会绘制一个数据集中的图像；DIGAN 与 LiftedGAN 在从未被告知形状、姿态、光照与纹理的情况下，将其分解为这些成分。此处测量的是论文所测的内容：真实形状未知。",
    ),
    "lift.table2.share": ("Identity ({name}), as a share of the true heads'.", "身份保持（{name}），占真实头像之比。"),
    "lift.table2.cosine": ("Identity ({name}), the cosine itself.", "身份保持（{name}），余弦值。"),
    "lift.table3": ("Ablation: Table 3 of the paper", "消融实验：论文表 3"),
    "lift.table3.caption": ("DIGAN and DIGAN without one of its losses.", "DIGAN 及去掉其中一项损失的 DIGAN。"),
    "lift.table3.note": (
        "The paper judges its ablations by FID and by eye. Distance and shape may point in opposite directions; both stand here.",
        "论文以 FID 与目鉴评判消融实验。距离与形状可能指向相反的结论，此处两者并列。",
    ),
    "lift.identity30": ("identity at ±30°, of the true heads'", "±30° 身份保持（占真实之比）"),
    "lift.figure2": ("Shapes: Figure 2 of the paper", "形状：论文图 2"),
    "lift.figure3": ("Light: Figure 3 of the paper", "光照：论文图 3"),
    "lift.figure4": ("Ablation: Figure 4 of the paper", "消融：论文图 4"),
    "lift.figure.one": (
        "{name}, the first faces, unselected: the teacher's picture, the render from the front, at yaw −40°, −20°, 20°, 40°, normals, albedo, light from the left and from the right.",
        "{name}：最初若干张人脸，未经挑选。依次为教师图像、正面渲染、偏航 −40°、−20°、20°、40°，法线、反照率、左侧与右侧光照。",
    ),
    "lift.light.one": (
        "{name}, the first faces in light from seven directions, from 60° left to 60° right, each with its shading below.",
        "{name}：最初若干张人脸在七个方向的光照下（自左 60° 至右 60°），下方为相应的明暗图。",
    ),
    "lift.figure.alt": ("A grid of pictures of heads: {name}", "头像图像网格：{name}"),
    "lift.figure.real": (
        "Held-out pictures, the first.",
        "留出图像（最初若干幅）。",
    ),
    "lift.real": (
        "real pictures",
        "真实图像",
    ),
    "lift.data": ("The data", "数据"),
    "lift.floor": (
        "Real pictures (training against held-out)",
        "真实图像（训练对留出）",
    ),
    "lift.protocol.data": (
        "Data: clay heads drawn from rules on a CC0 basis at {size} px; {train} pictures to train the teacher on, {test} held out for distances, and further heads held out for shapes.",
        "数据：以 CC0 头部基底按规则绘制的泥塑头像，{size} 像素；训练教师 {train} 幅，留出 {test} 幅用于距离，另有头像留作形状检验。",
    ),
    "lift.protocol.given": (
        "Teacher: {name}, which was there; it was shown {kimg} thousand pictures, and none of the heads measured here.",
        "教师：已有的模型 {name}，训练时共见 {kimg} 千张图像，其中没有此处所测的头像。",
    ),
    "lift.protocol.data.given": (
        "Data: clay heads drawn from rules on a CC0 basis at {size} px, {test} pictures for distances, and further heads for shapes.",
        "数据：以 CC0 头部基底按规则绘制的泥塑头像，{size} 像素；{test} 幅用于距离，另有头像用于形状检验。",
    ),
    "lift.protocol.train.given": (
        "Training: {lifter} thousand faces a lifter; seeds {seeds} for DIGAN and LiftedGAN, the first for ablations. All lifters have the same teacher, settings and number of steps.",
        "训练：三维化模型 {lifter} 千张；DIGAN 与 LiftedGAN 取种子 {seeds}，消融取第一个。各模型的教师、设置与步数相同。",
    ),
    "lift.protocol.train": (
        "Training: {kimg} thousand pictures a teacher, {lifter} thousand faces a lifter; seeds {seeds} for DIGAN and LiftedGAN, the first for ablations. All lifters have the same teacher, settings and number of steps.",
        "训练：教师 {kimg} 千张，三维化模型 {lifter} 千张；DIGAN 与 LiftedGAN 取种子 {seeds}，消融取第一个。各模型的教师、设置与步数相同。",
    ),
    "lift.protocol.codes": (
        "Held-out pictures were searched for {steps} steps in the teacher's W+ by pixels and features ({features}); the mean difference that remains is {error}, of a range of 2.",
        "留出图像在教师的 W+ 空间中按像素与特征（{features}）搜索 {steps} 步；所余平均差为 {error}（取值范围为 2）。",
    ),
    "lift.protocol.side": (
        "SIDE and MAD as unsup3d (Wu et al. 2020) measures them, over the pixels that are head in both, without the rims; both normals from depth maps. A smaller head is an easier one; therefore the mean depth's error on the same pixels is taken away from each, and it is said how well the heads cover each other. SIDE and MAD over all of the true head, where a lifter's ground counts as its depth, are among all numbers below.",
        "SIDE 与 MAD 按 unsup3d（Wu 等 2020）测量：取两者均为头像的像素并去其边缘；法线均由深度图求得。头部偏小者较易；故另减去平均深度在相同像素上的误差，并列出两者的重合程度。取真实头像全部像素（背景亦计作深度）的 SIDE 与 MAD 见下方全部数值。",
    ),
    # --- kinds of measures, in the verdicts on claims
    "kind.frechet": ("Fréchet", "弗雷歇距离"),
    "kind.kernel": ("kernel", "核距离"),
    "kind.ssim": ("SSIM", "SSIM"),
    "kind.ms-ssim": ("MS-SSIM", "MS-SSIM"),
    "kind.lpips diversity": ("LPIPS among", "生成间 LPIPS"),
    "kind.lpips to real": ("LPIPS to real", "与真实 LPIPS"),
    "kind.SSIM to the true picture": ("SSIM to the truth", "与真实图像 SSIM"),
    "kind.MS-SSIM to the true picture": ("MS-SSIM to the truth", "与真实图像 MS-SSIM"),
    "kind.SIDE": ("SIDE", "SIDE"),
    "kind.MAD (degrees)": ("MAD", "MAD"),
    "name.Matcher": ("Matcher", "匹配法"),
    # --- measures of translators, by the names their rows have
    "metric.SSIM to the true picture": ("SSIM to the true picture", "与真实图像的 SSIM"),
    "metric.MS-SSIM to the true picture": ("MS-SSIM to the true picture", "与真实图像的 MS-SSIM"),
    "metric.colour error (Delta E)": ("colour error (Delta E)", "色差（ΔE）"),
    "metric.edge recall within 1 px": ("edge recall within 1 px", "线条召回率（1 像素内）"),
    "metric.edge recall within 2 px": ("edge recall within 2 px", "线条召回率（2 像素内）"),
    "metric.edge precision within 2 px": ("edge precision within 2 px", "线条精确率（2 像素内）"),
    "metric.matches within 1/16 of the width": ("matches within 1/16 of the width", "对应正确率（误差不超过图宽的 1/16）"),
    # --- colours
    "colour.red": ("red", "红"),
    "colour.black": ("black", "黑"),
    "colour.white": ("white", "白"),
    "colour.blue": ("blue", "蓝"),
    "colour.green": ("green", "绿"),
    "colour.yellow": ("yellow", "黄"),
    "colour.purple": ("purple", "紫"),
}  # fmt: skip

_SCARCE = re.compile(
    r"fewer than (\d+) (?:of some colours )?(train|test|val|among \d+)(?: pictures of some classes)?: (\w+ \d+(?:, \w+ \d+)*)"
)
_WHERE = {"train": "训练", "test": "测试", "val": "验证"}


class Words:
    """The words of one language."""

    def __init__(self, lang: str) -> None:
        if lang not in LANGUAGES:
            raise UsageError(f"there is no language {lang!r}.", fix="Use --lang en or --lang zh.")
        self.lang, self._column = lang, LANGUAGES.index(lang)

    def __call__(self, key: str, **values: object) -> str:
        """The words of `key`, filled in; KeyError for a key that is not in the table, which is a bug."""
        return WORDS[key][self._column].format(**values)

    def pick(self, texts: object) -> str:
        """A text that a file holds in both languages, {"en": ..., "zh": ...}."""
        return str(texts.get(self.lang, "")) if isinstance(texts, dict) else str(texts)

    def named(self, key: str, otherwise: str) -> str:
        """The words of `key`, or others where the table has none: for names that come from a file."""
        return self(key) if key in WORDS else otherwise

    def colour(self, name: str) -> str:
        """A colour's name; that of a class lianpu does not know stays as the file has it."""
        return self.named(f"colour.{name}", name)

    def joined(self, *sentences: str) -> str:
        """Sentences, one after the other."""
        return ("" if self.lang == "zh" else " ").join(sentences)

    def metric(self, name: str) -> str:
        """A measure's name; that of one lianpu does not know stays as the file has it."""
        return self.named(f"metric.{name}", name)

    def scarce(self, note: str) -> str:
        """A judge's note that pictures of some colours were few; any other stays as the file has it."""
        found = _SCARCE.fullmatch(note)
        if self.lang == "en" or not found:
            return note
        counts = "、".join(f"{self.colour(c.partition(' ')[0])} {c.partition(' ')[2]}" for c in found[3].split(", "))
        return f"部分颜色的图像不足 {found[1]} 张（{_WHERE.get(found[2]) or f'共 {found[2][6:]} 张'}）：{counts}"

    def gloss(self, row: dict[str, Any]) -> str:
        """What a metric row's measure is, in a few words; nothing for one lianpu does not know."""
        extra = row.get("extra")
        key = f"gloss.{extra.get('key')}" if isinstance(extra, dict) else ""
        return self(key) if key in WORDS else ""

    def duration(self, seconds: object) -> str:
        """'3 h 05 min', '3 小时 5 分'."""
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < 1e9:
            return "–"
        minutes = round(seconds / 60)
        hours, rest = divmod(minutes, 60)
        if self.lang == "zh":
            return f"{hours} 小时 {rest} 分" if hours else (f"{minutes} 分" if minutes else f"{round(seconds)} 秒")
        return f"{hours} h {rest:02d} min" if hours else (f"{minutes} min" if minutes else f"{round(seconds)} s")
