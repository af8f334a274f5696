"""PyTorch's layer_norm, cross_entropy and their like: python3 composite.py > composite.json"""
import torch
import torch.nn.functional as F

from figures import Cases

c = Cases(2)
x, w, b = c.input(2, 3, 4), c.input(3, 4), c.input(3, 4)
c.add("layer_norm", lambda x, w, b: F.layer_norm(x, (3, 4), w, b), x, w, b)
c.add("layer_norm of rows", lambda x: F.layer_norm(x, (4,), eps=0.01), x)
c.add("rms_norm", lambda x, w: F.rms_norm(x, (3, 4), w, eps=1e-6), x, w)
c.add("softmax", lambda x: F.softmax(x, 1), x)
c.add("log_softmax", lambda x: F.log_softmax(x * 50, -1), x)
c.add("normalize", lambda x: F.normalize(x, 3.0, -1), x)
c.add("cosine_similarity", lambda x, w: F.cosine_similarity(x, w, -1), x, w)

logits, target = c.input(4, 5), torch.tensor([3, 0, 4, 0])
parts, with_ignored = c.input(4, 5, low=0.0, high=1.0), torch.tensor([3, -100, 4, 0])
weight = torch.tensor([0.5, 1.0, 2.0, 0.25, 1.5])
for reduction in ("none", "mean", "sum"):
    for weighted in (False, True):
        own, word = weight if weighted else None, "weighted" if weighted else "plain"
        for smoothing in (0.0, 0.3):
            options = dict(weight=own, reduction=reduction, label_smoothing=smoothing)
            for ignored in (-100, 0):
                c.add(f"cross_entropy {reduction} {smoothing} {word} {ignored}",
                      lambda x: F.cross_entropy(x, target, ignore_index=ignored, **options), logits)
            c.add(f"cross_entropy {reduction} {smoothing} {word} default",
                  lambda x: F.cross_entropy(x, with_ignored, **options), logits)
            c.add(f"cross_entropy of probabilities {reduction} {smoothing} {word}",
                  lambda x, t: F.cross_entropy(x, t, **options), logits, parts)
        c.add(f"nll_loss {reduction} {word} 0",
              lambda x: F.nll_loss(x, target, own, ignore_index=0, reduction=reduction), logits)
        c.add(f"nll_loss {reduction} {word} default",
              lambda x: F.nll_loss(x, with_ignored, own, reduction=reduction), logits)
c.add("cross_entropy of images",
      lambda x: F.cross_entropy(x.reshape(2, 5, 2), target.reshape(2, 2), weight), c.input(2, 10))

q, k, v = c.input(2, 2, 3, 4), c.input(2, 2, 5, 4), c.input(2, 2, 5, 3)
attend = F.scaled_dot_product_attention
c.add("attention", lambda q, k, v: attend(q, k, v), q, k, v)
c.add("attention causal", lambda q, k, v: attend(q, k, v, is_causal=True, scale=0.7), q, k, v)
c.add("attention added", lambda q, k, v, m: attend(q, k, v, attn_mask=m), q, k, v, c.input(3, 5))
mask = torch.tensor([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]], dtype=torch.bool)
c.add("attention masked", lambda q, k, v: attend(q, k, v, attn_mask=mask), q, k, v)
c.print()
