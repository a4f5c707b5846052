"""A row as `data.synthesis` writes them, small enough to be told anew by hand, and such texts."""

TEXT = (
    "A workshop makes desks and chairs. Each desk needs 5 hours of labor and each chair needs 3 hours of labor. "
    "There are at most 240 hours of labor. At least 10 chairs must be made. A desk earns a profit of $40 and a chair "
    "earns a profit of $25. How many of each should be made to maximize the profit?"
)
ANEW = (
    "A carpenter builds desks and chairs and wants to maximize the profit. The profit is $40 per desk and $25 per "
    "chair. Every desk takes 5 hours of labor and every chair takes 3 hours of labor. The carpenter has 240 hours of "
    "labor available. The number of chairs must be no less than 10."
)
SHORT = ANEW.replace("The carpenter has 240 hours of labor available. ", "")
TURNED = ANEW.replace("$40 per desk and $25 per chair", "$25 per desk and $40 per chair")
SWAPPED = ANEW.replace("desk", "?").replace("chair", "desk").replace("?", "chair")


def mention(text, words, after=""):
    start = text.index(words, text.index(after))
    return {"span": [start, start + len(words)], "text": words}


def row(name="0/0"):
    def said(words, after=""):
        return mention(TEXT, words, after)

    terms = {"terms['desk']", "terms['chair']"}
    problem = {
        "schema_version": 1,
        "text": TEXT,
        "variables": {
            key: {
                "domain": "integer",
                "label": label,
                "sources": {"": said(label), "domain": {"origin": "assumed"}},
            }
            for key, label in (("desk", "desks"), ("chair", "chairs"))
        },
        "objective": {
            "kind": "optimize",
            "sense": "maximize",
            "terms": {"desk": 40, "chair": 25},
            "sources": {
                "": said("How many of each should be made to maximize the profit"),
                **dict(zip(sorted(terms, reverse=True), (said("40", "A desk"), said("25")), strict=True)),
            },
        },
        "constraints": [
            {
                "kind": "linear_bound",
                "id": "c1",
                "terms": {"desk": 5, "chair": 3},
                "sense": "<=",
                "limit": 240,
                "sources": {
                    "": said("There are at most 240 hours of labor"),
                    "limit": said("240"),
                    **dict(zip(sorted(terms, reverse=True), (said("5"), said("3", "each chair")), strict=True)),
                },
            },
            {
                "kind": "bound",
                "id": "c2",
                "variable": "chair",
                "sense": ">=",
                "limit": 10,
                "sources": {"": said("At least 10 chairs must be made"), "limit": said("10")},
            },
        ],
    }
    return {
        "id": name,
        "generator": "by hand",
        "theme": "furniture",
        "templates": ["by hand/0"],
        "held_out": False,
        "held_out_generator": False,
        "text": TEXT,
        "problem": problem,
        "complexity": 6.0,
        "band": "small",
        "distractors": [],
        "derived": [],
        "forms": {"digits": 6},
        "texts": 1,
        "status": "optimal",
        "optimum": "2000",
    }
