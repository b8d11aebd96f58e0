"""The words that records use for sex and body site, and the words of tables that mean them.

Data only. Words are compared without case, accents, hyphens and underscores. The HAM10000
localizations go where ISIC 2019 put the same 10,015 images (face -> head/neck, foot -> lower
extremity, hand -> upper extremity, acral -> palms/soles); where no ISIC table has a word, as axilla
and groin, the topography of ICD-O-3 decides. Diagnoses have a module of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

__all__ = [
    "AGE_LIMITS",
    "MISSING_WORDS",
    "OUTCOME_WORDS",
    "SEXES",
    "SEX_LETTERS",
    "SEX_WORDS",
    "SITES",
    "SITE_DETAILS",
    "SITE_REFINEMENTS",
    "SITE_WORDS",
    "TOP_AGE",
    "Sex",
    "Site",
]

# The ISIC archive publishes every age above 85 as 85, so all tables are brought to that.
TOP_AGE = 85.0
AGE_LIMITS = (0.0, 120.0)


class Sex(StrEnum):
    """Sex of a patient."""

    MALE = "male"
    FEMALE = "female"


class Site(StrEnum):
    """Body site of a lesion: the six sites of the ISIC 2020 table."""

    HEAD_NECK = "head/neck"
    TORSO = "torso"
    UPPER_EXTREMITY = "upper extremity"
    LOWER_EXTREMITY = "lower extremity"
    PALMS_SOLES = "palms/soles"
    ORAL_GENITAL = "oral/genital"


SEXES: tuple[str, ...] = tuple(sex.value for sex in Sex)
SITES: tuple[str, ...] = tuple(site.value for site in Site)


def _split(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(","))


MISSING_WORDS: frozenset[str] = frozenset(
    {""}
    | {
        *_split(
            "?, -, --, ., na, n/a, #n/a, <na>, nan, none, null, missing, n.a., unknown, unk, "
            "ukn, not known, unspecified, not specified, not reported, not available, not "
            "applicable, not recorded, not stated, undisclosed, nr, nd, n.d., k.a., k. a., "
            "k.a, keine angabe, unbekannt, desconocido, desconocida, sin datos, s/d, no "
            "consta, inconnu, inconnue, non renseigné, sconosciuto, non noto, desconhecido, "
            "onbekend, okänd, ukjent"
        )
    }
)


def _invert(words: Mapping[str, tuple[str, ...]]) -> Mapping[str, str]:
    """Turn name -> its words into word -> name, each name being its own word too."""
    return MappingProxyType(
        {word: str(name) for name, group in words.items() for word in (str(name), *group)}
    )


SEX_WORDS = _invert(
    {
        Sex.MALE: _split(
            "man, men, boy, mr, masculine, mann, mannlich, maennlich, herr, junge, hombre, "
            "varon, masculino, masc, homme, masculin, garcon, uomo, maschio, maschile, homem, "
            "mannelijk, mand, erkek"
        ),
        Sex.FEMALE: _split(
            "woman, women, girl, mrs, ms, feminine, fem, frau, weiblich, mujer, hembra, "
            "femenino, femenina, femme, feminin, fille, donna, femmina, femminile, mulher, "
            "feminino, feminina, vrouw, vrouwelijk, kvinna, kvinde, kadin"
        ),
    }
)

# A letter means what it means beside the others of its column: M is male beside F or W, and
# female (mujer) beside H. What no entry holds is not guessed: V and M are varon and mujer in
# Spanish, but vrouw and man in Dutch.
SEX_LETTERS: Mapping[frozenset[str], Mapping[str, Sex]] = MappingProxyType(
    {
        frozenset(male + female): {male: Sex.MALE, female: Sex.FEMALE}
        for male, female in ("mf", "mw", "hm", "hf", "vh", "vf", "ud", "mk", "ek", "mz", "мж")
    }
    | {frozenset("m"): {"m": Sex.MALE}}
    | {frozenset(letter): {letter: Sex.FEMALE} for letter in "fw"}
)

SITE_WORDS = _invert(
    {
        Site.HEAD_NECK: _split(
            "head and neck, head & neck, head neck, head, neck, head neck face, face, facial, "
            "scalp, ear, forehead, cheek, nose, eyelid, eye, eyebrow, lip, chin, jaw, temple, "
            "nape, nostril, periorbital, periocular, perioral, preauricular, retroauricular, "
            "postauricular, auricle, back neck, back head, back ear, throat, occiput, occipital, "
            "parietal, crown, mandible, frontal, earlobe, pinna, nasal, labial, kopf, hals, "
            "nacken, gesicht, kopfhaut, ohr, ohren, stirn, wange, wangen, nase, augenlid, lippe, "
            "lippen, kinn, schlafe, kapillitium, capillitium, kopf hals, kopf und hals, cabeza, "
            "cuello, cara, cuero cabelludo, oreja, orejas, frente, mejilla, mejillas, nariz, "
            "parpado, labio, labios, menton, sien, nuca, cabeza y cuello, tete, cou, visage, cuir "
            "chevelu, oreille, oreilles, joue, joues, nez, paupiere, levre, levres, nuque, tete "
            "et cou, testa, collo, viso, faccia, volto, cuoio capelluto, orecchio, orecchie, "
            "fronte, guancia, guance, naso, palpebra, labbro, mento, testa e collo, cabeca, "
            "pescoco, rosto, couro cabeludo, orelha, orelhas, nasenrucken, nasenspitze, tempe, "
            "tempes, conjunctiva, conjunctival, bochecha, cabeca e pescoco, hoofd, gezicht, "
            "hoofdhuid, oor, oren, voorhoofd, wang, neus, nek"
        ),
        Site.TORSO: _split(
            "trunk, anterior torso, posterior torso, lateral torso, anterior trunk, posterior "
            "trunk, lateral trunk, back, upper back, lower back, mid back, chest, abdomen, "
            "abdominal, breast, flank, axilla, axillae, axillary, armpit, groin, inguinal, navel, "
            "umbilicus, umbilical, sternum, thorax, thoracic, rib, belly, stomach, loin, lumbar, "
            "periumbilical, paravertebral, sacrum, sacral, waist, clavicle, clavicular, "
            "collarbone, scapula, scapular, shoulder blade, nipple, areola, flanks, rumpf, stamm, "
            "korperstamm, rucken, oberer rucken, unterer rucken, brust, brustkorb, bauch, "
            "unterbauch, oberbauch, flanke, achsel, achselhohle, leiste, oberkorper, nabel, "
            "schulterblatt, dekollete, decollete, tronco, espalda, pecho, torax, vientre, mama, "
            "costado, axila, axilas, ingle, ombligo, dorso, escapula, tronc, dos, poitrine, "
            "ventre, sein, flanc, aisselle, aisselles, aine, schiena, petto, torace, addome, "
            "seno, mammella, fianco, ascella, ascelle, inguine, costas, peito, barriga, seio, "
            "virilha, romp, rug, borst, buik, oksel"
        ),
        Site.UPPER_EXTREMITY: _split(
            "upper extremities, upper limb, upper limbs, arm, upper arm, lower arm, forearm, "
            "shoulder, elbow, wrist, hand, finger, thumb, fingernail, back hand, dorsum hand, "
            "hand dorsum, dorsal hand, knuckle, antecubital, cubital fossa, deltoid, back arm, "
            "back upper arm, back forearm, arme, oberarm, unterarm, schulter, ellenbogen, "
            "handgelenk, hande, handrucken, daumen, zeigefinger, ellenbeuge, obere extremitat, "
            "obere extremitaten, brazo, brazos, antebrazo, antebrazos, hombro, hombros, codo, "
            "muneca, mano, manos, dedo, dedo mano, dedos mano, dorso mano, extremidad superior, "
            "extremidades superiores, miembro superior, miembros superiores, bras, avant bras, "
            "epaule, epaules, coude, poignet, main, mains, doigt, doigts, dos main, dos mains, "
            "membre superieur, membres superieurs, braccio, braccia, avambraccio, spalla, spalle, "
            "gomito, polso, mani, dito, dita, dorso mano, arto superiore, arti superiori, braco, "
            "bracos, antebraco, ombro, ombros, cotovelo, pulso, mao, maos, dorso mao, membro "
            "superior, membros superiores, bovenarm, onderarm, schouder, elleboog, pols, vinger, "
            "bovenste extremiteit"
        ),
        Site.LOWER_EXTREMITY: _split(
            "lower extremities, lower limb, lower limbs, leg, upper leg, lower leg, thigh, knee, "
            "ankle, buttock, gluteal, gluteus, hip, calf, calves, shin, foot, feet, toe, toenail, "
            "heel, dorsum foot, foot dorsum, dorsal foot, back foot, back leg, back knee, back "
            "thigh, popliteal, pretibial, tibial, bein, beine, oberschenkel, unterschenkel, "
            "schenkel, knie, knochel, gesass, hufte, wade, schienbein, fuss, fusse, fussrucken, "
            "zehe, zehen, zeh, grosszehe, ferse, kniekehle, untere extremitat, untere "
            "extremitaten, pierna, piernas, muslo, muslos, rodilla, tobillo, gluteo, gluteos, "
            "nalga, nalgas, cadera, pantorrilla, pie, pies, dedo pie, dedos pie, dorso pie, "
            "talon, extremidad inferior, extremidades inferiores, miembro inferior, miembros "
            "inferiores, jambe, jambes, cuisse, cuisses, genou, cheville, fesse, fesses, hanche, "
            "mollet, pied, pieds, orteil, orteils, membre inferieur, membres inferieurs, gamba, "
            "gambe, coscia, cosce, ginocchio, caviglia, gluteo, glutei, natica, natiche, anca, "
            "polpaccio, piede, piedi, arto inferiore, arti inferiori, perna, pernas, coxa, coxas, "
            "joelho, tornozelo, nadega, nadegas, quadril, panturrilha, pe, membro inferior, "
            "membros inferiores, benen, dij, enkel, billen, heup, kuit, voet, voeten, bovenbeen, "
            "onderbeen, onderste extremiteit"
        ),
        Site.PALMS_SOLES: _split(
            "palms and soles, palm, sole, palms, soles, palms soles, palm hand, sole foot, hand "
            "palmar, palmar hand, foot plantar, plantar foot, heel sole, palm of hand, sole of "
            "foot, acral, acral palms or soles, palmar, plantar, palmoplantar, handflache, "
            "handflachen, handinnenflache, fusssohle, fusssohlen, fussohle, fussohlen, akral, "
            "palma, palmas, palma mano, planta, plantas, planta pie, paume, paumes, paume main, "
            "plante, plante pied, plante pieds, palmo, pianta, pianta piede, palma mao, planta "
            "pe, handpalm, voetzool"
        ),
        Site.ORAL_GENITAL: _split(
            "oral and genital, oral or genital, oral genital, genital, genital area, genital "
            "region, genitals, genitalia, anogenital, anogenital region, perianal, perianal "
            "region, anal, anus, perineum, oral, mouth, mucosa, mucosal, tongue, gum, gingiva, "
            "palate, vulva, vulvar, penis, penile, scrotum, labia, pubic, pubis, oral mucosa, "
            "oral cavity, buccal mucosa, genitale, mund, schleimhaut, zunge, mundschleimhaut, "
            "intim, intimbereich, analbereich, glans, vagina, vaginal, genitalbereich, genitales, "
            "boca, lengua, mucosas, zona genital, bouche, langue, muqueuse, organes genitaux, "
            "genitali, bocca, lingua, genitais, geslachtsdelen, mond, slijmvlies"
        ),
    }
)

# What a body site is left with when these are taken away is the same site.
SITE_DETAILS: frozenset[str] = frozenset(
    _split(
        "left, right, l, r, lt, rt, both, bilateral, distal, proximal, medial, lateral, outer, "
        "inner, mid, middle, central, ventral, volar, anterior, posterior, skin, area, areas, "
        "region, regions, site, of, the, on, and, or, in, near, der, des, die, das, am, und, "
        "bereich, de, del, la, el, los, las, y, zona, piel, izquierdo, izquierda, izquierdos, "
        "sinistro, sinistra, sinistri, destro, destra, destri, sx, dx, da, do, das, direito, "
        "li, re, links, rechts, linke, linker, linkes, rechte, rechter, rechtes, haut, "
        "izquierdas, derecho, derecha, derechos, derechas, izq, le, les, du, et, gauche, "
        "gauches, droit, droite, droits, droites, il, lo, i, gli, della, dello, delle, e, "
        "direita, esquerdo, esquerda, van, het, en"
    )
)

# Columns of the ISIC archive that say more than the general site, and which of their words
# overrule it; their other words ("nail") say nothing about the six sites.
SITE_REFINEMENTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "anatom_site_special": frozenset({"acral palms or soles", "oral or genital"}),
        "anatom_site_3": frozenset({"palm of hand", "sole of foot"}),
    }
)

# Words of a column that says which lesions are malignant, beside diagnoses.
OUTCOME_WORDS: Mapping[str, float] = MappingProxyType(
    dict.fromkeys(
        _split(
            "0, no, n, false, f, falsch, faux, falso, neg, negative, negativ, nein, non, nao, "
            "nee, negativo, negatif"
        ),
        0.0,
    )
    | dict.fromkeys(
        _split(
            "1, yes, y, true, t, wahr, vrai, verdadero, vero, pos, positive, positiv, ja, j, si, "
            "oui, sim, positivo, positif"
        ),
        1.0,
    )
)
