"""Every metric written a second time, plainly, from its definition: on Kaggle's page, or where Kaggle has none, in the
literature. Nothing here calls scikit-learn, whose implementations the tests compare with as well."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["DEFINITIONS"]


def accuracy(y: np.ndarray, probabilities: np.ndarray) -> float:
    return float(np.mean([row.argmax() == label for label, row in zip(y, probabilities, strict=True)]))


def recalls(y: np.ndarray, labels: np.ndarray) -> list[float]:
    return [float(np.mean(labels[y == label] == label)) for label in np.unique(y)]


def balanced_accuracy(y: np.ndarray, probabilities: np.ndarray) -> float:
    return float(np.mean(recalls(y, probabilities.argmax(axis=1))))


def f1_of(y: np.ndarray, labels: np.ndarray, label: int) -> float:
    hits = np.sum((y == label) & (labels == label))
    precision, recall = hits / np.sum(labels == label), hits / np.sum(y == label)
    return float(2 * precision * recall / (precision + recall))


def f1(y: np.ndarray, probabilities: np.ndarray) -> float:
    return f1_of(y, probabilities.argmax(axis=1), 1)


def f1_macro(y: np.ndarray, probabilities: np.ndarray) -> float:
    return float(np.mean([f1_of(y, probabilities.argmax(axis=1), label) for label in np.unique(y)]))


def f1_weighted(y: np.ndarray, probabilities: np.ndarray) -> float:
    return float(sum(np.mean(y == label) * f1_of(y, probabilities.argmax(axis=1), label) for label in np.unique(y)))


def f1_micro(y: np.ndarray, probabilities: np.ndarray) -> float:
    """From the counts of all classes together: 2 TP / (2 TP + FP + FN)."""
    labels = probabilities.argmax(axis=1)
    hits = sum(np.sum((y == label) & (labels == label)) for label in np.unique(y))
    wrong = sum(np.sum((y == label) != (labels == label)) for label in np.unique(y))
    return float(2 * hits / (2 * hits + wrong))


def mcc(y: np.ndarray, probabilities: np.ndarray) -> float:
    """The correlation of the indicators of truth and prediction (Gorodkin 2004), for two classes that of Matthews."""
    classes = probabilities.shape[1]
    truth, predicted = np.eye(classes)[y], np.eye(classes)[probabilities.argmax(axis=1)]
    truth, predicted = truth - truth.mean(axis=0), predicted - predicted.mean(axis=0)
    return float((truth * predicted).sum() / np.sqrt((truth**2).sum() * (predicted**2).sum()))


def qwk(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Kaggle, playground-series-s3e5: 1 - sum(w O) / sum(w E), w = (i - j)^2 / (N - 1)^2."""
    classes, labels = probabilities.shape[1], probabilities.argmax(axis=1)
    observed = np.zeros((classes, classes))
    for truth, label in zip(y, labels, strict=True):
        observed[truth, label] += 1
    expected = np.outer(np.bincount(y, minlength=classes), np.bincount(labels, minlength=classes)) / len(y)
    weights = np.array([[(i - j) ** 2 / (classes - 1) ** 2 for j in range(classes)] for i in range(classes)])
    return float(1 - (weights * observed).sum() / (weights * expected).sum())


def log_loss(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Kaggle, otto-group-product-classification-challenge: rows rescaled to 1, probabilities within 10^-15."""
    rows = probabilities / probabilities.sum(axis=1, keepdims=True)
    of_truth = [max(min(row[label], 1 - 1e-15), 1e-15) for label, row in zip(y, rows, strict=True)]
    return float(-np.mean(np.log(of_truth)))


def auc(y: np.ndarray, probabilities: np.ndarray) -> float:
    """The share of pairs that are ordered rightly, ties counted half (Mann and Whitney 1947)."""

    def of_class(label: int) -> float:
        positive, negative = probabilities[y == label, label], probabilities[y != label, label]
        return float(np.mean([np.mean((p > negative) + 0.5 * (p == negative)) for p in positive]))

    return of_class(1) if probabilities.shape[1] == 2 else float(np.mean([of_class(c) for c in np.unique(y)]))


def gini(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Kaggle, porto-seguro-safe-driver-prediction: the Gini coefficient, divided by that of a perfect order."""

    def area(by: np.ndarray) -> float:
        sorted_truth = y[np.argsort(-by, kind="stable")]
        return float((np.cumsum(sorted_truth) / y.sum() - np.arange(1, len(y) + 1) / len(y)).sum())

    return area(probabilities[:, 1]) / area(y)


def average_precision(y: np.ndarray, probabilities: np.ndarray) -> float:
    """The precision at each true row's rank, averaged over the true rows."""

    def of_class(label: int) -> float:
        hits = (y == label)[np.argsort(-probabilities[:, label])]
        return float(np.mean((np.cumsum(hits) / np.arange(1, len(y) + 1))[hits]))

    return of_class(1) if probabilities.shape[1] == 2 else float(np.mean([of_class(c) for c in np.unique(y)]))


def map_at(top: int) -> Callable[[np.ndarray, np.ndarray], float]:
    def function(y: np.ndarray, probabilities: np.ndarray) -> float:
        """Kaggle, playground-series-s5e6: 1/U sum_u sum_k P(k) rel(k), labels after the right one not counted."""
        total = 0.0
        for label, row in zip(y, probabilities, strict=True):
            for rank, predicted in enumerate(np.argsort(-row)[:top], start=1):
                if predicted == label:
                    total += 1 / rank
                    break
        return total / len(y)

    return function


def errors(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return predicted[:, 0] - y


def rmse(y: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.linalg.norm(errors(y, predicted)) / len(y) ** 0.5)


def rmsle(y: np.ndarray, predicted: np.ndarray) -> float:
    """Kaggle, online-sales: the root of the mean of (log(p + 1) - log(a + 1))^2."""
    return float(np.sqrt(np.mean((np.log(predicted[:, 0] + 1) - np.log(y + 1)) ** 2)))


def log_rmse(y: np.ndarray, predicted: np.ndarray) -> float:
    """Kaggle, house-prices-advanced-regression-techniques: RMSE between the logarithms of both."""
    return float(np.sqrt(np.mean(np.log(predicted[:, 0] / y) ** 2)))


def mse(y: np.ndarray, predicted: np.ndarray) -> float:
    return float(errors(y, predicted) @ errors(y, predicted) / len(y))


def mae(y: np.ndarray, predicted: np.ndarray) -> float:
    return float(sum(abs(error) for error in errors(y, predicted)) / len(y))


def median_ae(y: np.ndarray, predicted: np.ndarray) -> float:
    """Kaggle, playground-series-s3e25: the median of |y - x|."""
    in_order = sorted(abs(errors(y, predicted)))
    return float(in_order[(len(y) - 1) // 2] + in_order[len(y) // 2]) / 2


def mape(y: np.ndarray, predicted: np.ndarray) -> float:
    """Kaggle, playground-series-s5e1: a fraction, as scikit-learn's."""
    return float(np.mean(abs(errors(y, predicted) / y)))


def smape(y: np.ndarray, predicted: np.ndarray) -> float:
    """Kaggle, playground-series-s3e19: 100 % / n sum |F - A| / ((|A| + |F|) / 2), and 0 where both are 0."""
    terms = [
        0 if truth == value == 0 else abs(value - truth) / ((abs(truth) + abs(value)) / 2)
        for truth, value in zip(y, predicted[:, 0], strict=True)
    ]
    return float(100 / len(y) * sum(terms))


def r2(y: np.ndarray, predicted: np.ndarray) -> float:
    return float(1 - (errors(y, predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum())


DEFINITIONS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
    "f1_macro": f1_macro,
    "f1_micro": f1_micro,
    "f1_weighted": f1_weighted,
    "mcc": mcc,
    "qwk": qwk,
    "log_loss": log_loss,
    "auc": auc,
    "gini": gini,
    "average_precision": average_precision,
    "rmse": rmse,
    "rmsle": rmsle,
    "log_rmse": log_rmse,
    "mse": mse,
    "mae": mae,
    "median_ae": median_ae,
    "mape": mape,
    "smape": smape,
    "r2": r2,
    "map@3": map_at(3),
    "map@5": map_at(5),
}
