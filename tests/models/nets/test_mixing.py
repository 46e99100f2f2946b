from __future__ import annotations

import torch
from torch.nn import functional

from kpipe.models.nets.mixing import cut_mix, mixed_loss


def mixes(images, *, share, count=40):
    generator = torch.Generator().manual_seed(0)
    return [cut_mix(images, generator, share=share) for _ in range(count)]


def test_each_pixel_is_the_images_own_or_that_of_the_image_before_and_the_share_of_its_own_is_returned():
    images = torch.arange(4.0)[:, None, None, None].expand(4, 2, 6, 9)
    shares = []
    for mixed, kept in mixes(images, share=1.0):
        own = mixed == images
        assert (own | (mixed == images.roll(1, 0))).all()
        torch.testing.assert_close(own[1].float().mean(), kept)
        shares.append(kept.item())
    assert min(shares) < 0.4
    assert max(shares) > 0.9


def test_steps_that_are_not_mixed_leave_images_as_they_are():
    images = torch.rand(3, 1, 8, 8)
    unchanged = [torch.equal(mixed, images) for mixed, kept in mixes(images, share=0.5) if kept == 1]
    assert all(unchanged)
    assert 10 < len(unchanged) < 30
    assert all(torch.equal(mixed, images) for mixed, _ in mixes(images, share=0.0))


def test_the_loss_counts_both_labels_by_their_shares():
    outputs, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    own, other = (functional.cross_entropy(outputs, each) for each in (targets, targets.roll(1)))
    found = mixed_loss(functional.cross_entropy, outputs, targets, kept=torch.tensor(0.75))
    torch.testing.assert_close(found, 0.75 * own + 0.25 * other)
