"""stats.py - the statistics of scripts/bench-tune: rank tests, their correction, quantiles.  Standard library only."""
import math


def quantile(values, p):
    """The p-quantile, linear between neighbours."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * p
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    if ordered[low] == ordered[high]:
        return ordered[low]
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(values):
    return quantile(values, 0.5)


def ranks(values):
    """Ranks from 1, the mean one where values tie, and the sizes of the groups of ties."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    out, ties, i = [0.0] * len(values), [], 0
    while i < len(order):
        end = i
        while end + 1 < len(order) and values[order[end + 1]] == values[order[i]]:
            end += 1
        for k in range(i, end + 1):
            out[order[k]] = (i + end) / 2 + 1
        ties.append(end - i + 1)
        i = end + 1
    return out, ties


def p_larger(mine, theirs):
    """Mann-Whitney U: the p-value of "mine tends to be larger than theirs" against "equal"; normal approximation,
    corrected for ties and for continuity.  1 if all values are the same."""
    n, m = len(mine), len(theirs)
    rank, ties = ranks(list(mine) + list(theirs))
    u = sum(rank[:n]) - n * (n + 1) / 2
    total = n + m
    variance = n * m / 12 * (total + 1 - sum(t ** 3 - t for t in ties) / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    z = (u - n * m / 2 - 0.5) / math.sqrt(variance)
    return min(1.0, max(0.0, math.erfc(z / math.sqrt(2)) / 2))


def holm(p_values):
    """Holm's step-down correction: adjusted p-values in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    out, so_far = [0.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        so_far = max(so_far, min(1.0, (len(p_values) - place) * p_values[i]))
        out[i] = so_far
    return out
