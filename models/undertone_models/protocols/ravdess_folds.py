"""The six folds of RAVDESS: each holds out four of its 24 actors, two women (even numbers) and two men (odd).

In the order of their numbers, so that the last fold holds out the actors of the test split, 21 to 24. Others
have drawn their folds otherwise; what all have in common is that no actor is in training and test at once.
"""

RAVDESS_FOLDS: tuple[tuple[str, ...], ...] = (
    ("ravdess_01", "ravdess_02", "ravdess_03", "ravdess_04"),
    ("ravdess_05", "ravdess_06", "ravdess_07", "ravdess_08"),
    ("ravdess_09", "ravdess_10", "ravdess_11", "ravdess_12"),
    ("ravdess_13", "ravdess_14", "ravdess_15", "ravdess_16"),
    ("ravdess_17", "ravdess_18", "ravdess_19", "ravdess_20"),
    ("ravdess_21", "ravdess_22", "ravdess_23", "ravdess_24"),
)
