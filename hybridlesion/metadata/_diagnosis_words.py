"""The diagnoses that are known, the words for each, and the words that deny or doubt one.

Data only. Words are compared without case, accents, hyphens, underscores and punctuation. In
them, ``*`` stands for any letters and ``~`` for the ending of a noun: ``angiom~`` is angioma,
angiomas and angiome, but not angiomatous, which describes other lesions too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = [
    "ALTERNATIVE_WORDS",
    "BENIGN",
    "BENIGN_WORDS",
    "CODES",
    "COMPOUND_WORDS",
    "CONTRAST_WORDS",
    "DENIED_AFTER",
    "DENIED_AT_END",
    "DENIED_BEFORE",
    "DOUBT_WORDS",
    "EXCLUDED_WORDS",
    "MALIGNANT",
    "MALIGNANT_WORDS",
    "NARROWER_DIAGNOSES",
    "NEITHER",
    "NOT_MELANOMA",
    "OTHER_BENIGN",
    "OTHER_MALIGNANT",
    "QUALITIES",
    "UNSPECIFIC",
]


def _split(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(","))


# Where two diagnoses have a word in common, the first of them takes it.
MALIGNANT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "non-melanoma skin cancer": _split(
            "non melanoma skin cancer*, nonmelanoma skin cancer*, nmsc, weisser hautkrebs, "
            "cancer de piel no melanoma, keratinocyt* carcinom*, keratinocyt* cancer*, c44*"
        ),
        "melanoma": _split(
            "*melanom*, *melanoom*, *melanom* in situ, *melanoom* in situ, lentigo malign*, "
            "lentigo malin*, lentigine malign*, malign* lentigo, melanos* dubreuilh, melanos* "
            "circumscript*, c43*, d03*, hutchinson* freckle*, "
            "melanos* precancer*, hutchinson* melanotic freckle*, malignant blue n*vus, "
            "malignant n*vus, ssm, lmm, schwarzer hautkrebs, czerniak*, меланом*, *黑色素瘤*, "
            "*メラノーマ*, *흑색종*"
        ),
        "basal cell carcinoma": _split(
            "basal cell, basal cell carcinom*, basal cell ca, basal cell cancer*, bcc, bccs, "
            "basal cell epitheliom*, basal cell tumo*, carcinom* basal cell, basalcell*, "
            "*basalzell*, *basalzell* karzinom*, basaliom*, basaloom, basaalcel*, basocel*, "
            "baso cel*, carcinom* baso cel*, carcinom* basocel*, basosquam*, rodent ulcer*, "
            "ulcus rodens, базалиом*"
        ),
        "squamous cell carcinoma": _split(
            "squamous cell carcinom*, squamous cell ca, squamous cell cancer*, scc, sccs, "
            "cscc, cuscc, squamous cell, squamous carcinom*, carcinom* squamous cell, carcinom* "
            "squamous, sccis, *spinocel*, carcinom* *spinocel*, espinocel*, carcinom* "
            "espinocel*, spinaliom*, sccka, *plattenepithel*, *stachelzell*, *stachelzell* "
            "karzinom*, plaveiselcel*, skivepitel*, carcinom* epidermoid*, epidermoid "
            "carcinom*, carcinom* escamos*, celulas escamosas, carcinom* de celulas escamosas, "
            "carcinom* a cellule squamose, bowen, bowens, bowen s, bowen* disease, bowen* "
            "carcinom*, intraepi* carcinom*, erythroplas*, verruc* carcinom*, "
            "*k*ratoacanthom*, *k*ratoakanthom*, queratoacantom*, cheratoacantom*"
        ),
        "merkel cell carcinoma": _split("merkel*, merkel* carcinom*, merkel* karzinom*, c4a*"),
        "lymphoma": _split(
            "*lymphom~, *linfom~, mycosis fungoides, micosis fungoide*, sezary*, leuk*emia*, "
            "ctcl, lymphocytic proliferations b cell, lymphocytic proliferations t cell*, "
            "blastic plasmacytoid*"
        ),
        "kaposi sarcoma": _split(
            "kaposi*, c46*, *sar*om~ kaposi, *sar*om~ de kaposi, kaposi* sar*om~"
        ),
        "sarcoma": _split(
            "*sarcom~, *sarkom~, dermatofibrosar*om~ protuberans, dfsp, atypical fibroxanthom~, afx"
        ),
        "paget disease": _split("paget, pagets, paget*, *paget* disease"),
        # Last of them: the kinds above are carcinomas, too.
        "carcinoma": _split("*carcinom~, *karzinom~, *carcinoom, *carcinoid*, *karcinom~, d04*"),
    }
)
# Passed over where a narrower malignancy is named, too.
UNSPECIFIC: frozenset[str] = frozenset({"carcinoma", "sarcoma", "non-melanoma skin cancer"})

BENIGN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "epidermal nevus": _split(
            "epidermal n*v*, n*vus sebac*, n*vus comedonicus, n*vus lipomatos*, lipomatous "
            "n*vus, n*vus anemicus, n*vus depigmentosus, becker*, becker* n*vus, organoid "
            "n*vus"
        ),
        "nevus": _split(
            "*nevus*, *naevus*, *navus*, *nevi, *naevi, *navi, nevuses, nevo, nevos, naevo, "
            "nevocel*, nevocyt*, naevocel*, spitz, tumo* of reed, muttermal*, leberfleck*, "
            "mole, moles, lunar, lunares, grain* de beaute, moedervlek*, fodelsemarke*, luomi, "
            "znamie*, невус*, d22*, pseudomelanom*, dermal melanocytos*, mongol* spot*"
        ),
        "lichenoid keratosis": _split(
            "lichenoid* k*ratos*, lichen planus like k*ratos*, benign* lichenoid* k*ratos*, lplk"
        ),
        "seborrheic keratosis": _split(
            "seb*r*h* k*rat*, seb k*rat*, seb ker, seb*r* k*rat*, k*rat* seb*r*, querat* "
            "seb*r*, cherat* seb*r*, cerat* seb*r*, seb*r* wart*, seb*r* warze*, verruca* "
            "seb*r*, verrug* seb*r*, verrue* seb*r*, alterswarze*, stucco k*ratos*, basal cell "
            "papillom~, dermatosis papulosa nigra, l82*"
        ),
        "benign keratosis": _split(
            "benign* k*ratos*, benign* k*ratos* like lesion*, pigmented benign* k*ratos*, bkl"
        ),
        "solar lentigo": _split(
            "solar lentig*, actinic lentig*, senile lentig*, lentig* sol*, lentig* senil*, "
            "lentig* actinic*, altersfleck*, age spot*, sun spot*, sunspot*"
        ),
        "lentigo": _split(
            "lentigo, lentigos, lentigines, lentigine, lentiggin*, lentigo simplex, lentig* "
            "simple*, simple lentig*, ink spot lentig*, lentiginosis, lentiginous melanocytic "
            "proliferation"
        ),
        "melanosis": _split("melanosis, melanose, melanosi, melanoses"),
        "dermatofibroma": _split(
            "dermatofibrom~, dermato fibrom~, histiocytom~, histiocitom~, *fibro* histiocytom~"
        ),
        "angiokeratoma": _split("angiok*ratom~, angiocheratom~"),
        "hemangioma": _split(
            "*hemangiom~, *haemangiom~, *hamangiom~, emangiom~, d180*, d18 0*, blutschwamm*"
        ),
        "pyogenic granuloma": _split(
            "p*ogen* granulom~, granulom~ p*ogen*, granulom~ telangi*ect*, botryom*"
        ),
        "angioma": _split("*angiom~, angioma*"),
        "hemorrhage": _split(
            "h*emorrhage*, h*emorrhagic lesion*, h*ematom~, hamatom~, einblutung*, bluterguss*"
        ),
        "vascular lesion": _split(
            "*vascular lesion*, lesion* vascular*, lesion* vasculaire*, lesion* vascolar*, "
            "vaskul* lasion*, vascular tumo*, vascular malformation*, *venous malformation*, "
            "port wine stain*, n*vus flammeus, feuermal*, venous lake*, t*langi*ectas*, spider "
            "n*v*, vasc, benign* soft tissue proliferations vascular"
        ),
        "benign epidermal proliferations": ("benign epidermal proliferations",),
    }
)

# Named, and called neither malignant nor benign by all: premalignant, or found with either.
NEITHER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "actinic keratosis": _split(
            "actinic k*ratos*, act k*ratos*, a*tinis*he* k*ratos*, k*ratos* a*tini*, k*ratos* "
            "solaris, akiec, ack, l570, l57 0, solar k*ratos*, solar or actinic k*ratos*, "
            "k*ratos* senil*, "
            "querat* actini*, cherat* attini*, cerat* actini*, actinic cheilit*, cheilit* "
            "actini*, senile k*ratos*, indeterminate epidermal proliferations, "
            # The class AKIEC of ISIC 2018, in full.
            "actinic k*ratos* and intraepi* carcinom*, actinic k*ratos* and bowen* disease, "
            "actinic k*ratos* or bowen* disease, actinic k*ratos* or intraepi* carcinom*, "
            "actinic k*ratos* and intraepi* carcinom* or bowen* disease, actinic k*ratos* and "
            "intraepi* carcinom* or bowen s disease, actinic k*ratos* or intraepi* carcinom* "
            "or bowen s disease"
        ),
        "atypical spitz tumor": _split("atypical spitz tumo*, atypischer spitz tumo*"),
        "cutaneous horn": _split("cutaneous horn*, cornu cutaneum, hauthorn*"),
    }
)

# Known to be malignant or benign, and kept as written: too many for a name each.
OTHER_MALIGNANT: tuple[str, ...] = _split(
    "other malign*, malign* other, mal oth, other cancer*, malignant adnexal*, malignant "
    "adnexal tumo*, malignant "
    "epidermal*, malignant soft tissue*, malignant dermal*, skin metastasis of internal*"
)
OTHER_BENIGN: tuple[str, ...] = _split(
    "other benign*, benign* other, ben oth, d23*, inf, benign adnexal*, benign soft tissue*, "
    "benign "
    "dermal*, benign epidermal*, benign melanocyt*, inflammatory, inflammatory or infectious*, "
    "inflammatory and infectious*, inflammation*, infection*, infectious*, entzundung*, "
    "genodermatos*, flat melanotic pigmentations not melanocytic nevus, "
    # Pigment and vessels.
    "cafe au lait*, ephelis, ephelid*, freckle*, sommersprosse*, melanotic macule*, melasma, "
    "chloasma, *melanocytom~, *pigmentation, pigmentary changes, vitiligo, birthmark*, "
    "proliferati* nodule*, livedo*, "
    # Tumours, cysts, warts and scars.
    "*adenom~, atherom~, fibroepitheliom~, *acanthom~, *akanthom~, *fibrom~, *fibromatosis, "
    "*lipom~, *lipomatosis, "
    "*hamartom~, *folliculom~, cylind*om~, mixed tumor, mixed tumour, porom~, *syringom~, "
    "*trichoblastom~, *trichoepitheliom~, tri*lemmom~, tri*lemmal tumo*, pilomatri*om~, "
    "*discom~, *k*ratoma, sebaceom~, sebaceous hyperplas*, talgdrusenhyperplas*, fordyce*, "
    "follicular infundibul*, adnexal tumo*, porokeratos*, inverted follicular k*ratos*, "
    "k*ratos* pilaris, *hyperkeratos*, accessory tragus, supernumerary nipple*, accessory "
    "nipple*, chondrom~, osteom~, osteoch*om~, *leiomyom~, rhabdomyom~, *neurom~, "
    "*neurothekeom~, schwannom~, neurilemmom~, perineuriom~, granular cell tumo*, giant cell "
    "tumo*, glomus*, myxom~, *granulom~, *xanthom~, xanthelasm*, *histiocytosis, rosai "
    "dorfman*, mastocyt*, mast cell*, langerhans cell*, non langerhans*, fibroepithelial*, "
    "acrochordon*, skin tag*, fibrous papule*, digital fibrokeratom~, scar, scars, narbe*, "
    "cicatri*, keloid*, *cyst, *cysts, *zyste*, quiste*, kyste*, cisti, milia, milium, "
    "comedo*, wart, warts, verruca*, warze*, verrug*, verrue*, condylom*, molluscum*, "
    "*papillom~, papil*omatos*, callus*, clavus, tattoo*, foreign body*, exogenous, elastos*, "
    "sun damag*, pseudolymphom~, lymphoid hyperplasia, lymphocytic infiltrat*, striae, "
    # Inflammation, infection and what is inherited.
    "psoria*, *eczem*, *ekzem*, *dermatit*, *dermatos*, neurodermit*, lichen, lichen *, "
    "rosacea, acne, acne *, akne, folliculit*, sarcoidos*, scabies, lupus*, scleroderm*, "
    "scleromyx*, morphea*, epidermolys*, prurigo*, nematode*, erythem*, *eruption*, pityrias*, "
    "darier*, hailey*, necrobios*, tuberous scleros*, urticari*, *excoriation*, lyme*, "
    "borreli*, bite*, tick bite*, mucinos*, acanthosis nigricans, calcinos*, ichthyos*, "
    "incontinentia*, ehlers*, myiasis, leishman*, rhinophyma, dermatomyosit*, behcet*, stevens "
    "johnson*, xeroderma*, paronych*, stasis edema, hidradenit*, pediculos*, porphyri*, "
    "amyloidos*, aplasia cutis, cheilit*, bullous disease*, pemphig*, herpes*, zoster, "
    "impetigo, larva migrans, lepro*, tinea*, tungias*, *mycosis, candid*, cellulitis, "
    "abscess*, ulcer, ulcus, injur*, graft vs host*, graft versus host*, vasculit*, alopeci*, "
    "burn"
)

# Short words that are a diagnosis only where a cell or clause begins with them: in "nevus, 4 mm"
# mm is a length. The last of them are outcomes.
CODES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(_split("mel, mm, nm, alm, lm, mis"), "melanoma")
    | dict.fromkeys(_split("nv, nev, neo, nei, nzn, ncn, reed"), "nevus")
    | dict.fromkeys(_split("bzk, cbc, bcca"), "basal cell carcinoma")
    | dict.fromkeys(_split("cec, pek, pec, ska, iec, ka"), "squamous cell carcinoma")
    | dict.fromkeys(_split("ak, sak"), "actinic keratosis")
    | dict.fromkeys(_split("sk, sek, sebk"), "seborrheic keratosis")
    | {"mcc": "merkel cell carcinoma", "df": "dermatofibroma", "sl": "solar lentigo"}
    | {"pbk": "benign keratosis", "pg": "pyogenic granuloma"}
    | dict.fromkeys(_split("normal, healthy, gesund, sano, sana, sain"), "benign")
)

# What says malignant or benign, and nothing more.
MALIGNANT_WORDS = _split(
    "malign*, malin, bosartig*, boesartig*, kwaadaardig*, maligni*, cancer*, cancro, hautkrebs, "
    "krebs, kanker, huidkanker, hudcancer, metasta*, злокачеств*"
)
BENIGN_WORDS = _split(
    "benign*, benin*, gutartig*, goedaardig*, godartad*, nonmalign*, noncancer*, nonneoplas*, "
    "non neoplas*, доброкачеств*"
)
# "not melanoma" may be any other malignancy.
NOT_MELANOMA = "not melanoma"

DENIED_BEFORE = _split(
    "no, not, non, without, excluded, excluding, negative, absence, absent, nicht, kein, "
    "keine, keinen, ohne, sin, pas, sans, aucun, senza, nessun, sem, nao, geen, niet, inte, "
    "free of, ruled out"
)
# As the last word only: "melanoma: no".
DENIED_AT_END: frozenset[str] = frozenset(_split("no, nein, non, nao, nee, false"))
DENIED_AFTER = _split(
    "excluded, ruled out, ausgeschlossen, exclu, exclue, exclus, descartado, descartada, "
    "escluso, esclusa, uitgesloten, negative, negativ, absent, free, not present, not "
    "confirmed, not found, nicht bestatigt, excluido, excluida"
)
# Denial ends here: "no nevus but melanoma".
CONTRAST_WORDS = _split("but, aber, sondern, pero, sino, mais, ma, maar, rather")
# Not to be excluded is in doubt: a denial and one of these in a clause.
EXCLUDED_WORDS = _split(
    "exclud*, exclu, exclue*, exclus*, exclui*, ruled out, ausgeschlossen, descart*, esclus*, "
    "esclud*, uitgesloten"
)
DOUBT_WORDS = _split(
    "?, suspect*, suspic*, susp, sospech*, sospett*, suspeit*, verdacht*, verdenking, va, dd, "
    "ddx, d or d, differential*, probabl*, wahrscheinlich*, vermutlich*, possibl*, posibl*, "
    "possib*, moglich*, likely, unlikely, maybe, may be, might be, could be, perhaps, "
    "potential*, presum*, fraglich*, unklar*, unsicher*, unclear, unsure, uncertain*, "
    "indetermin*, equivocal*, borderline, simulat*, mimic*, like, ahnlich*, artig*, "
    "ambiguous*, questionable, query, pending, dubio*, dudos*, dubbi*, dout*, undecided, eher, "
    "ehesten, favor*, favour*, consider*, concerning for, worrisome, unknown "
    "malign*, d48*, cannot exclude, cannot be *, can not *, can t *, exclude, exclure, excluir, "
    "excluirse, escludere, escludibile, escludersi, to be excluded, ausschliessen, "
    "auszuschliessen, uit te "
    "sluiten, rule out, r or o, za, ausschluss, descartar, descartarse, descarta, vs, versus, "
    "gegen, history, anamnes*, antecedent*, atcd, storia, previous _, prior _, former _, "
    "formerly, follow up, nachsorge*, screening*, risk of, risk for, risiko*, famil*, "
    "patient*, zustand nach, zn, status post, premalign*, pre malign*, precancer*, pre "
    "cancer*, prakanzer*, atypical melanocytic*, atypical intraepi* melanocytic*, aimp, "
    "atypical spitz tumo*, meltump, stump, sampus, ast"
)
# "non-ulcerated melanoma" denies the ulcer.
QUALITIES = (
    "pigment|invas|ulcer|nodul|infiltr|metasta|acral|akral|spitzoid|desmoplast|in[ -]situ|regress"
)
# Between two diagnoses: both are there, and the worse one counts; or it is one of the two.
COMPOUND_WORDS = _split(
    "and, arising, with, within, in, on, from, ex, associated, adjacent, developing, auf, mit, "
    "und, aus, bei, en, con, sobre, y, e, et, avec, sur, dans, su, da, in, em, com, op, met, "
    "plus"
)
ALTERNATIVE_WORDS = _split("or, oder, ou, o, nor, vs, versus, beziehungsweise, bzw")

# Broad diagnosis -> narrower ones it covers: a table that knows better does not contradict.
NARROWER_DIAGNOSES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "benign keratosis": frozenset(
            {"seborrheic keratosis", "solar lentigo", "lichenoid keratosis", "lentigo"}
            | {"benign epidermal proliferations"}
        ),
        "vascular lesion": frozenset(
            {"angioma", "angiokeratoma", "hemangioma", "pyogenic granuloma", "hemorrhage"}
        ),
    }
)
