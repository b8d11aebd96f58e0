"""Names that hospitals give to columns, in several languages, and what they probably hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from hybridlesion.exceptions import TableError
from hybridlesion.metadata._layouts import FACTS, LAYOUTS, ROLE_COLUMNS, Role, column_key

__all__ = [
    "ALIASES",
    "RECORDS",
    "candidates",
    "explain_unknown",
    "find_role",
    "guess_roles",
    "identify_layout",
    "loose_key",
]

# Names beside those of `ROLE_COLUMNS`, as `loose_key` writes them, the best of a table first.
ALIASES: Mapping[Role, tuple[str, ...]] = MappingProxyType(
    {
        Role.IMAGE_ID: (
            *("imageid", "isicid", "imagename", "imgid", "imgname", "img", "imageuid", "md5hash"),
            *("photoid", "photoname", "photo", "pictureid", "picture", "imageidentifier"),
            *("bildid", "bildname", "bildnr", "bildnummer", "bild", "fotoid", "foto", "aufnahmeid"),
            *("idimagen", "imagenid", "nombreimagen", "imagen", "idimage", "nomimage"),
            *("nomdelimage", "idimmagine", "nomeimmagine", "immagine", "idimagem", "imagem"),
            *("afbeelding", "afbeeldingid", "afbeeldingnr", "afbeeldingsnummer"),
            "image",
        ),
        Role.PATH: (
            *("imagepath", "imagefile", "imagefilename", "imgpath", "imgfile", "imgfilename"),
            *("photopath", "photofile", "filepath", "filename", "bcnfilename", "ddifile"),
            *("bilddatei", "bildpfad", "dateiname", "dateipfad", "datei", "pfad"),
            *("nombrearchivo", "nombredelarchivo", "archivo", "rutaimagen", "ruta", "nomfichier"),
            *("fichier", "chemin", "nomefile", "percorso", "arquivo", "nomedoarquivo", "caminho"),
            *("bestandsnaam", "bestand"),
        ),
        Role.PATIENT_ID: (
            *("patientid", "patientidentifier", "patientnr", "patientno", "patientnumber"),
            *("patientnum", "patientcode", "patientuid", "patid", "patnr", "patno", "ptid"),
            *("subjectid", "subject", "mrn", "medicalrecordnumber", "patient"),
            *("patientenid", "patientennr", "patientennummer", "patientenpseudonym", "pseudonym"),
            *("idpaciente", "pacienteid", "paciente", "nropaciente", "numeropaciente", "npaciente"),
            *("nopaciente", "numerodepaciente", "codigopaciente", "iddelpaciente", "iddopaciente"),
            *("idpatient", "numeropatient", "numpatient", "nopatient", "npatient", "codepatient"),
            *("numerodupatient", "idpaziente", "pazienteid", "paziente", "codicepaziente"),
            *("numeropaziente", "pacientenumero", "patientnummer", "patientennr"),
        ),
        Role.LESION_ID: (
            *("lesionid", "lesionuid", "lesionidentifier", "lesioncode"),
            *("lasionid", "laesionid", "lasionsid", "laesionsid", "idlesion", "idlesione"),
            *("lesioneid", "idlesao", "lesaoid"),
        ),
        Role.AGE: (
            *("age", "ageyears", "ageinyears", "ageyrs", "ageyr", "patientage", "patientageyears"),
            *("ageofpatient", "ageatdiagnosis", "ageatvisit", "ageatexcision", "ageatbiopsy"),
            *("ageatexamination", "ageatimaging", "ageatpresentation", "ageatacquisition", "ptage"),
            *("alter", "alterjahre", "alterinjahren", "patientenalter", "lebensalter"),
            *("alterbeidiagnose", "alterdespatienten", "alterpatient", "edad", "edadanos"),
            *("edadenanos", "edaddelpaciente", "edadpaciente", "edadaldiagnostico", "eta"),
            *("etaanni", "etapaziente", "etadelpaziente", "etaalladiagnosi", "idade", "idadeanos"),
            *("idadedopaciente", "idadepaciente", "agedupatient", "agepatient", "ageans"),
            *("agealadiagnose", "ageaudiagnostic", "leeftijd"),
        ),
        Role.SEX: (
            *("sex", "gender", "sexatbirth", "birthsex", "biologicalsex", "patientsex", "sexmf"),
            *("patientgender", "sexofpatient", "sexgender", "genderatbirth", "ptsex", "geschlecht"),
            *("patientengeschlecht", "geschlechtdespatienten", "sexo", "sexodelpaciente"),
            *(
                "sexopaciente",
                "sexobiologico",
                "genero",
                "sesso",
                "sessopaziente",
                "genere",
                "sexe",
            ),
            *("sexedupatient", "sexepatient", "genre", "sexodopaciente", "geslacht"),
        ),
        Role.SITE: (
            *("bodysite", "anatomicsite", "anatomicalsite", "anatomsite", "lesionsite"),
            *("siteoflesion", "anatomiclocation", "anatomicallocation", "bodylocation"),
            *("lesionlocation", "locationoflesion", "lesionlocalization", "lesionlocalisation"),
            *("localization", "localisation", "anatomicregion", "anatomicalregion", "bodyregion"),
            *("bodypart", "bodyarea", "location", "site", "region", "lokalisation"),
            *(
                "lokalisierung",
                "lokalisationderlasion",
                "lasionslokalisation",
                "lokalisationlasion",
            ),
            *("korperregion", "koerperregion", "korperstelle", "koerperstelle", "anatomischelage"),
            *("anatomischelokalisation", "localizacion", "localizaciondelalesion"),
            *("localizacionlesion", "localizacionanatomica", "ubicacion", "sitioanatomico"),
            *("regionanatomica", "zonaanatomica", "zona", "localizzazione"),
            *("localizzazionelesione", "sedeanatomica", "sedelesione", "sede", "localizacao"),
            *("localizacaodalesao", "localizacaoanatomica", "regiaoanatomica", "regiao"),
            *("localisationanatomique", "localisationdelalesion", "siteanatomique"),
            *("regionanatomique", "locatie", "topography", "topografia", "topographie"),
        ),
        Role.DIAGNOSIS: (
            *("histology", "histologicaldiagnosis", "histologicdiagnosis", "histopathology"),
            *("histopathologicaldiagnosis", "histopathologicdiagnosis", "histodiagnosis"),
            *("diagnosishistology", "diagnosishistopathology", "pathologydiagnosis", "pathology"),
            *("pathologicaldiagnosis", "pathologicdiagnosis", "histologie", "histopathologie"),
            *("histologischediagnose", "histopathologischediagnose", "histologischerbefund"),
            *("diagnosehistologie", "diagnosticohistologico", "diagnosticohistopatologico"),
            *("histologia", "histopatologia", "anatomiapatologica", "diagnosiistologica"),
            *(
                "istologia",
                "istopatologia",
                "diagnostichistologique",
                "diagnosticanatomopathologique",
            ),
            *("finaldiagnosis", "confirmeddiagnosis", "definitivediagnosis", "diagnosisfinal"),
            *("enddiagnose", "abschlussdiagnose", "definitivediagnose", "diagnosticofinal"),
            *("diagnosticodefinitivo", "diagnosticfinal", "diagnosticdefinitif", "diagnosifinale"),
            *("diagnosidefinitiva", "diagnosis", "diagnosisname", "lesiondiagnosis", "diagnose"),
            *("diagnosetext", "diagnostico", "diagnosi", "diagnostic", "diagnostique", "diag"),
            *("disease", "lesiontype", "befund"),
        ),
        Role.TARGET: (
            *("ismalignant", "malignancy", "malign", "maligne", "bosartig", "boesartig"),
            *("malignitat", "malignitaet", "bosartigkeit", "maligno", "malignidad", "malignita"),
            *("malignidade", "malignite", "malin", "kwaadaardig", "melanoma", "ismelanoma"),
        ),
    }
)

# Words of a column's name that suggest a role without settling it.
_WORDS: Mapping[Role, frozenset[str]] = MappingProxyType(
    {
        Role.AGE: frozenset({"age", "alter", "edad", "eta", "idade", "leeftijd"}),
        Role.SEX: frozenset({"sex", "gender", "geschlecht", "sexo", "sesso", "sexe", "genero"}),
        Role.SITE: frozenset(
            {"site", "location", "localization", "localisation", "lokalisation", "lokalisierung"}
            | {"localizacion", "localizzazione", "localizacao", "ubicacion", "region", "sede"}
            | {"anatomic", "anatomical", "anatomy", "bodypart", "body", "korperregion"}
        ),
        Role.DIAGNOSIS: frozenset(
            {"diagnosis", "diagnose", "diagnostic", "diagnostico", "diagnosi", "dx", "histology"}
            | {"histologie", "histologia", "histo", "histopathology", "histopath", "pathology"}
            | {"befund", "disease", "verdachtsdiagnose"}
        ),
        Role.TARGET: frozenset(
            {"malignant", "malignancy", "maligne", "maligno", "label", "class", "outcome"}
            | {"truth", "melanoma", "cancer", "benign"}
        ),
        Role.PATIENT_ID: frozenset(
            {"patient", "patienten", "paciente", "paziente", "pat", "subject", "mrn", "pid"}
        ),
        Role.LESION_ID: frozenset({"lesion", "lasion", "laesion", "lesione", "lesao", "lasions"}),
        Role.IMAGE_ID: frozenset({"image", "img", "bild", "photo", "foto", "picture", "imagen"}),
        Role.PATH: frozenset({"file", "filename", "datei", "path", "pfad", "archivo", "fichier"}),
    }
)
# What a name may hold in brackets without meaning something else.
_HARMLESS = frozenset(
    {"years", "year", "yrs", "yr", "y", "a", "jahre", "jahren", "j", "anos", "ans", "annees"}
    | {"anni", "mf", "fm", "mw", "wm", "hm", "mh", "malefemale", "femalemale", "01", "10", "approx"}
    | {"histopath", "histopathology", "histopathological", "histological", "histology", "histo"}
    | {"pathology", "path", "biopsy", "histologisch", "histologie", "histologia", "histologico"}
    | {"confirmed", "final", "text", "freetext", "anatomical", "anatomic", "body", "id"}
)
# An age or date in other units is no age in years.
_OTHER_UNITS = frozenset(
    {"month", "months", "monate", "monaten", "meses", "mois", "mesi", "days", "weeks", "tage"}
    | {"date", "datum", "fecha", "data", "birth", "geburt", "group", "gruppe", "range", "stage"}
)
_BRACKETS = re.compile(r"[(\[{]([^)\]}]*)[)\]}]")


def loose_key(column: object) -> str:
    """Bring a column name to the form in which `ALIASES` are compared.

    Parameters
    ----------
    column : object
        A column's name.

    Returns
    -------
    str
        Lower case, without accents, blanks, punctuation and harmless brackets such as a unit.

    Examples
    --------
    >>> loose_key("Age (years)"), loose_key("Patienten-Nr."), loose_key("Age (months)")
    ('age', 'patientennr', 'agemonths')
    """
    text = _plain(column)
    text = _BRACKETS.sub(lambda m: " " if _squeeze(m[1]) in _HARMLESS else m[0], text)
    return _squeeze(text)


def candidates(role: Role, by_loose: Mapping[str, str]) -> list[str]:
    """List the columns that may hold a role by an alias, the best first.

    Parameters
    ----------
    role : Role
        The role.
    by_loose : mapping of str to str
        Loose key -> column.

    Returns
    -------
    list of str
        Columns.
    """
    return [by_loose[name] for name in ALIASES[role] if name in by_loose]


def find_role(column: object) -> Role | None:
    """Name the role that a column has by its name.

    Parameters
    ----------
    column : object
        A column's name.

    Returns
    -------
    Role or None
        The role; None if the name is not known.

    Examples
    --------
    >>> find_role("Sex at birth"), find_role("Ward") is None
    (<Role.SEX: 'sex'>, True)
    """
    return _ROLE_OF.get(column_key(column)) or _ROLE_OF_ALIAS.get(loose_key(column))


def guess_roles(column: object) -> list[Role]:
    """List the roles that a name suggests without settling it.

    Parameters
    ----------
    column : object
        A column's name.

    Returns
    -------
    list of Role
        Roles, the likeliest first.

    Examples
    --------
    >>> guess_roles("Clinical diagnosis"), guess_roles("patinet_id"), guess_roles("Ward")
    ([<Role.DIAGNOSIS: 'diagnosis'>], [<Role.PATIENT_ID: 'patient_id'>], [])
    """
    known = find_role(column)
    if known is not None:
        return [known]
    tokens = _tokens(column)
    key = loose_key(column)
    roles = [role for token in tokens for role, words in _WORDS.items() if token in words]
    roles += [
        role
        for role, words in _WORDS.items()
        if any(len(word) > 5 and word in key for word in words)
    ]
    close = get_close_matches(key, _ROLE_OF_ALIAS, n=1, cutoff=0.85) if len(key) > 4 else []
    roles += [_ROLE_OF_ALIAS[name] for name in close]
    if _OTHER_UNITS.intersection(tokens):
        roles = [role for role in roles if role is not Role.AGE]
    return list(dict.fromkeys(roles))


def _plain(text: object) -> str:
    decomposed = unicodedata.normalize("NFKD", str(text)).casefold()
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _squeeze(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def _tokens(column: object) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", str(column))
    return [token for token in re.split(r"[\W_]+", _plain(spaced)) if token]


_ROLE_OF = {name: role for role, names in ROLE_COLUMNS.items() for name in names}
_ROLE_OF_ALIAS = {
    **{name: role for role, names in ALIASES.items() for name in names},
    **{_squeeze(name): role for name, role in _ROLE_OF.items()},
}


RECORDS = "records"
# What may name the rows of a table.
_KEYS = frozenset({Role.IMAGE_ID, Role.PATH, Role.LESION_ID, Role.PATIENT_ID})


def identify_layout(columns: Iterable[str]) -> str:
    """Name the layout that a table with these columns has.

    Parameters
    ----------
    columns : iterable of str
        The table's column names; case and outer blanks do not matter.

    Returns
    -------
    str
        A name among `LAYOUTS`; ``"records"`` for other tables with an image, lesion or patient id
        and at least one column that a record has; ``"image-facts"`` for an id with columns that
        are all unknown, which can only be joined to another table.

    Raises
    ------
    TableError
        If no column names images, lesions or patients; the message lists what was found, what is
        accepted and how to name columns.

    Examples
    --------
    >>> identify_layout(["image_name", "patient_id", "sex", "age_approx", "target"])
    'isic2020'
    >>> identify_layout(["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"])
    'ham10000'
    """
    columns = list(columns)
    keys = {column_key(column) for column in columns}
    roles = {find_role(column) for column in columns} - {None}
    for layout in LAYOUTS:
        if layout.matches(keys) and (roles & _KEYS or not layout.one_hot):
            return layout.name
    if not roles & _KEYS:
        raise TableError(explain_unknown(columns))
    return RECORDS if Role.PATH in roles or len(roles) > 1 else FACTS


def explain_unknown(columns: Iterable[str]) -> str:
    """Write what is known about a table that no layout fits.

    Parameters
    ----------
    columns : iterable of str
        The table's column names.

    Returns
    -------
    str
        What was found, which layouts are accepted and which options name a column.
    """
    columns = [str(column) for column in columns]
    shown = ", ".join(columns[:20]) + (f" and {len(columns) - 20} more" if columns[20:] else "")
    accepted = [
        f"    {layout.name}: {', '.join(layout.required)}"
        + (f", and any of {', '.join(layout.any_of)}" if layout.any_of else "")
        for layout in LAYOUTS
    ]
    lines = [
        f"no known layout has the columns {shown}.",
        "  Accepted are tables that name the image and have these columns among others:",
        *accepted,
        f"    records: one of {', '.join(ROLE_COLUMNS[Role.IMAGE_ID])}, and any of "
        f"{', '.join(role for role in Role if role is not Role.IMAGE_ID)}",
        "  Or name the columns, with id_column, target_column and columns (on the command line "
        "--id-column, --target and --column age=COLUMN).",
        *_hints(columns),
    ]
    return "\n".join(lines)


def _hints(columns: list[str]) -> list[str]:
    return [
        f"  {column!r} may be {role}: columns={{{str(role)!r}: {column!r}}} "
        f"(--column {role}={column})."
        for column in columns
        for role in guess_roles(column)[:1]
        if column_key(column) not in ROLE_COLUMNS[role]
    ]
