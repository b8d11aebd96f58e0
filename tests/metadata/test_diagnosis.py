"""Diagnoses in many wordings: named, denied, in doubt, or not known."""

from __future__ import annotations

import pytest

from hybridlesion.metadata import read_label
from hybridlesion.metadata._diagnosis import read_diagnosis

NAMED = {
    "melanoma": (
        "MEL|Melanoma|melanoma (in situ)|melanoma (less than 0.76 mm)|Melanoma_in_situ|"
        "melanoma, NOS|superficial spreading melanoma ssm|lentigo maligna|"
        "lentigo maligna melanoma|9. melanoma|MM|Malignant melanocytic proliferations (Melanoma)|"
        "nodular-melanoma-(nm)|mélanome malin|SSM|malignes Melanom|Melanoom|melanoma maligno|"
        "melanomas|SSM, Breslow 0.5 mm|mel_metastasis|melanoma, no nevus|no nevus but melanoma|"
        "spitzoid melanoma|меланома|melanoma arising in a nevus|nevus with melanoma in situ|"
        "Melanom auf Nävus|nv and mel|nevus with mis|Nävus mit MM|melanoma (nevus-associated)|"
        "non-ulcerated melanoma|"
        "not pigmented melanoma|"
        "C43.5|ICD-10: D03.9|C43.5 Malignes Melanom|melanoma (C439)|malignant lentigo|"
        "Malignant::Malignant melanocytic proliferations (Melanoma)::Melanoma in situ"
    ),
    "nevus": (
        "NV|NEV|naevus|Nävus|nævi|clark nevus|Spitz|reed or spitz nevus|mole|nevo|"
        "nevocytic nevus|melanocytic nevi|Nevus, Atypical, Dysplastic, or Clark|grain de beauté|"
        "Muttermal|nevus, 4 mm|nevus, melanoma ruled out|nevus (no melanoma)|Nävus, kein Melanom|"
        "no melanoma, nevus|melanoma excluded: nevus|D22.5|D22.9 Nävus|"
        "nevus negative for melanoma|benign nevus"
    ),
    "basal cell carcinoma": (
        "bcc|Basaliom|Basalzellkarzinom|carcinoma, basal cell|carcinoma basocelular|CBC|"
        "C44.3 basal cell carcinoma|non-pigmented BCC|solid cystic basal cell carcinoma|"
        "ulcerated basal cell carcinoma|"
        "basal-cell-carcinoma-nodular"
    ),
    "squamous cell carcinoma": (
        "scc|Spinaliom|Plattenepithelkarzinom|Morbus Bowen|bowen's disease|carcinome épidermoïde|"
        "SCCKA|squamous-cell-carcinoma-keratoacanthoma|Squamous cell carcinoma, Invasive|CEC"
    ),
    "actinic keratosis": (
        "AK|ACK|akiec|solar or actinic keratosis|queratosis actínica|"
        "Actinic keratoses and intraepithelial carcinoma / Bowen's disease"
    ),
    "seborrheic keratosis": "L82.1|SEK|seborrhoeic keratosis|Alterswarze|basal cell papilloma",
    "benign keratosis": "bkl|pigmented benign keratosis|benign keratosis-like lesions",
    "lichenoid keratosis": "lichen planus like keratosis|lichenoid-keratosis",
    "solar lentigo": "actinic lentigo|lentigo solaris",
    "lentigo": "lentigo simplex|lentigo NOS",
    "melanosis": "melanosis",
    "dermatofibroma": "df|Dermatofibrom",
    "lymphoma": "mycosis fungoides|subcutaneous-t-cell-lymphoma",
    "sarcoma": "dermatofibrosarcoma protuberans|angiosarcoma",
    "kaposi sarcoma": "kaposi-sarcoma",
    "merkel cell carcinoma": "Merkel cell carcinoma",
    "carcinoma": "sebaceous-carcinoma|metastatic carcinoma",
    "non-melanoma skin cancer": "non-melanoma skin cancer",
    "epidermal nevus": "epidermal nevus|nevus sebaceous of jadassohn",
    "not melanoma": (
        "no melanoma|not melanoma|NotMelanoma|non-melanoma|melanoma excluded|pas de mélanome|"
        "kein Anhalt für ein Melanom|Melanoma (excluded)|no evidence of melanoma|melanoma: no|"
        "melanoma: 0|melanoma=0|melanoma (-)|melanoma neg.|other than melanoma|isn't melanoma|"
        "ausgeschlossen Melanom"
    ),
}
DOUBTFUL = (
    "melanoma?|suspected melanoma|nevus vs melanoma|nevus/melanoma|melanoma or nevus|"
    "V.a. Melanom|nevus, melanoma|r/o melanoma|melanoma not excluded|"
    "nevus, suspicious for melanoma|DD Melanom|Indeterminate/benign|"
    "atypical melanocytic proliferation|benign melanoma|history of melanoma|"
    "pre-malignant|nevus simulating melanoma|D22.x?|D48.5|presumed melanoma|favor melanoma|"
    "nevus, melanoma cannot be ruled out|melanoma can't be excluded|melanoma to be excluded|"
    "no se puede descartar melanoma|nevo, no se puede excluir melanoma|melanoma non escluso|"
    "non si può escludere melanoma|mélanome non exclu|on ne peut exclure un mélanome|"
    "não se pode excluir melanoma|melanoom niet uitgesloten|Melanom nicht sicher ausgeschlossen|"
    "Melanomverdacht|melanomverdächtig|Melanomnachsorge|z.A. Melanom|could be melanoma|"
    "previous melanoma|nevus w/ history of melanoma|melanoma in the past|melanoma, past|"
    "nevus/mm|nevus or mm|nv/mel|nevus oder mm|s/p melanoma|st. p. Melanom|Melanomausschluss|"
    "Ausschl. Melanom|melanoma excision site|re-excision melanoma, no residual|"
    "mother had melanoma|neo of unknown behaviour|"
    "melanoma 5 years ago|früheres Melanom|Melanom in der Vergangenheit|melanoma en el pasado"
)
UNKNOWN = "other|miscellaneous|wen|lesion|in situ|melanonychia|melanocytic|not bcc|class 1"
# Labels of Fitzpatrick17k, DDI, MILK10k and the ISIC archive without a name of their own.
BENIGN = (
    "psoriasis|eczema-spongiotic-dermatitis|graft-vs-host-disease|verruca-vulgaris|"
    "epidermal-cyst|disseminated actinic porokeratosis|lipoma|BEN_OTH|INF|benign epidermal|"
    "genodermatoses|benign|Cysts|Collision - Only benign proliferations|"
    "Non-Langerhans histiocytosis|gutartig|bénin|non-neoplastic|no evidence of malignancy|"
    "Nonmalignant|no cancer|seborrheic dermatitis|cancer-free"
)
MALIGNANT = (
    "malignant|bösartig|maligno|skin cancer|metastasis|MAL_OTH|malignant dermal|"
    "Lymphocytic proliferations - B-Cell|Collision - At least one malignant proliferation"
)


@pytest.mark.parametrize(("name", "written"), NAMED.items(), ids=NAMED)
def test_text_that_contains_a_diagnosis_counts_as_it(name, written):
    words = written.split("|")
    assert {word: read_diagnosis(word).name for word in words} == dict.fromkeys(words, name)
    assert read_diagnosis(name).name == name


def test_doubt_leaves_it_open():
    for word in DOUBTFUL.split("|"):
        reading = read_diagnosis(word)
        assert (reading.malignant, reading.named, reading.understood) == (None, False, True), word
        assert reading.name == word.lower()


@pytest.mark.parametrize(("words", "malignant"), [(UNKNOWN, None), (BENIGN, 0.0), (MALIGNANT, 1.0)])
def test_sides(words, malignant):
    for word in words.split("|"):
        reading = read_diagnosis(word)
        assert (reading.malignant, reading.understood) == (malignant, malignant is not None), word
        # Records read again say the same.
        assert read_diagnosis(reading.name) == reading


def test_blank_cells_say_nothing():
    assert [read_diagnosis(cell).name for cell in ("", " ", "?", "unknown", "UNK")] == [None] * 5


def test_labels():
    labels = ["Yes", "NEIN", "1", "0.0", "nevus", "SCC", "control", "melanoma?", "AK"]
    assert [read_label(label) for label in labels] == [1, 0, 1, 0, 0, 1, None, None, None]
