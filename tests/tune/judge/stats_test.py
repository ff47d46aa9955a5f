"""stats_test.py - stats.py gives what SciPy 1.17 gives: mannwhitneyu(alternative="greater", method="asymptotic")."""
import unittest

import stats

CASES = [
    ([-0.26, 0.51, -0.23, -0.32, -0.93, -0.21, 1.11, 0.42],
     [0.54, -0.25, -0.11, -0.31, -2.17, 0.36, 0.01, -0.0, -2.19], 0.3681384891705356),
    ([4, 4, 3, 0, 1, 0, 4, 1, 2, 3, 1, 4],
     [0, 2, 1, 0, 1, 2, 0, 0, 0, 1], 0.01241132580301491),
    ([0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
     [0, 0, 0, 0, 0, 0, 0, 2, 2, 3], 0.9029543990513096),
    ([-0.7, -0.2, 1.0, 1.2, -0.1, 1.8, 0.6, 1.0, 1.6, 1.1],
     [-0.8, -0.7, 2.2, -1.2, 1.8, -0.6, -0.5, -1.2, -0.1, -2.5], 0.029153363632115185),
    ([1, 2],
     [0, 3, 4], 0.8067618846143836),
]


class Statistics(unittest.TestCase):
    def test_p_values_are_those_of_scipy(self):
        for mine, theirs, expected in CASES:
            self.assertAlmostEqual(stats.p_larger(mine, theirs), expected, delta=1e-12 + 1e-9 * expected)

    def test_a_shift_is_found_and_its_opposite_is_not(self):
        low, high = list(range(20)), [v + 30 for v in range(20)]
        self.assertLess(stats.p_larger(high, low), 1e-6)
        self.assertGreater(stats.p_larger(low, high), 1 - 1e-6)

    def test_all_the_same_is_no_evidence(self):
        self.assertEqual(stats.p_larger([0] * 20, [0] * 20), 1.0)

    def test_holm_is_a_step_down(self):
        expected = [0.04, 0.06, 0.06, 0.04]  # 4 x .01; 2 x .03; the larger of .04 and .06; 3 x .0125 is below 4 x .01
        for mine, right in zip(stats.holm([0.01, 0.03, 0.04, 0.0125]), expected):
            self.assertAlmostEqual(mine, right)
        self.assertEqual(stats.holm([0.5, 0.9]), [1.0, 1.0])

    def test_quantiles_are_linear_between_neighbours(self):
        self.assertEqual(stats.quantile([4, 1, 2, 3], 0.25), 1.75)
        self.assertEqual(stats.median([3, 1, 2]), 2)


if __name__ == "__main__":
    unittest.main()
