"""Every key of the mapping language, declared once: the reader checks by this table, and
docs/reference/mapping.md is generated from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """One key of a table. `kinds`: the TOML types it takes, "template" being text that may hold {columns};
    `choices`: the texts it takes, where they are few."""

    name: str
    kinds: tuple[str, ...]
    means: str
    is_required: bool = False
    choices: tuple[str, ...] = ()
    default: str = ""


MAPPING = (
    Key("source", ("text",), "The system the records come from: `source` of every event, and how its id"
        " begins.",
        is_required=True),
    Key("zone", ("text",), "The zone of instants that are written without one, such as `Europe/Berlin`."
        " Without"
        " it such an instant is refused."),
    Key("nothing", ("texts",), "Texts that stand for no value. The empty one always does.",
        default='`["", "NULL", "null", "N/A", "n/a"]`'),
)  # fmt: skip

FILE = (
    Key("match", ("text", "texts"), "Which files of the command line these are, by name: `*leads*.csv`.",
        default="`*NAME*`"),
    Key("format", ("text",), "What the files are.", choices=("csv", "jsonl", "parquet", "xlsx"),
        default="by the ending of the name: .csv, .tsv, .txt, .jsonl, .ndjson, .parquet, .xlsx"),
    Key("delimiter", ("text",), "Between two values of a CSV file, one character.",
        default="`,`; in a .tsv file the tab"),
    Key("quote", ("text",), "Around a value of a CSV file that holds a delimiter or a line's end; `\"\"`:"
        " nothing"
        " is quoted.", default='`"`'),
    Key("encoding", ("text",), "Encoding of a CSV or JSON lines file, such as `windows-1252`. A byte order"
        " mark"
        " decides by itself.", default="`utf-8`"),
    Key("sheet", ("text",), "Which sheet of an Excel file.", default="the first"),
    Key("key", ("text", "texts"), "The column, or columns, whose value names what a row is about. Two rows"
        " with one"
        " key that say different things are both refused; equal rows count once.", is_required=True),
    Key("missing_key", ("text",), "What becomes of a row without a key. `stand_in`: it is somebody of its"
        " own, by"
        " what the row says; equal rows stay as many as they are.", choices=("refuse", "stand_in"),
        default="`refuse`"),
    Key("only", ("conditions",), "Rows that do not meet these are left out, and counted."),
)  # fmt: skip

EVENT = (
    Key("type", ("text",), "Which event, by its name in [events.md](events.md).", is_required=True),
    Key("from", ("text",), "The file whose rows become this event, each at most one.", is_required=True),
    Key("join", ("table",), "Other files whose row is read beside: `join = { deals = \"{lead_id}\" }`"
        " finds the row"
        " of `deals` with that key. Its columns are `{deals.won_date}`. Several columns of a key: a list."
        " Without"
        " a row they are empty."),
    Key("when", ("conditions",), "A row becomes this event only when it meets all of these."),
    Key("id", ("template", "texts"), "What distinguishes this event from others of its type: with the source,"
        " its id."
        " Give it when one key has several, such as one for each stage.", default="the key of the file"),
    Key("set", ("table",), "The fields of the event, each a field value.", is_required=True),
)  # fmt: skip

FIELD = (
    Key("value", ("template", "texts"), "What the field is: `{column}`, text around columns, or a"
        " constant. Of"
        " several the first that is there.", is_required=True),
    Key("missing", ("text",), "What to do when there is no value. `refuse`: the row fails. `leave_out`:"
        " the field"
        " is left out. `stand_in` (for ids): an id of this row alone, which says so, and is counted."
        " `skip`: this event is left out, and counted.",
        choices=("refuse", "leave_out", "stand_in", "skip"),
        default="`refuse` where the event requires the field, else `leave_out`"),
    Key("default", ("template",), "What stands for a value that is missing; counted."),
    Key("lookup", ("text",), "The name of a `[lookup.NAME]` table: each of its keys is a text of the file,"
        " and its"
        " value what it becomes. A text that is not in it is refused, unless there is `otherwise`."),
    Key("otherwise", ("template",), "What a text becomes that the lookup does not have: a constant, or the"
        " column."),
    Key("case", ("text",), "Changes the text, before a lookup. `snake`: lower case, with `_` for"
        " whatever is neither letter nor digit.", choices=("lower", "upper", "snake")),
    Key("formats", ("texts",), "How days and instants are written, by strftime (`%d/%m/%Y`, `%Y-%m-%d"
        " %H:%M`), or"
        " `iso`, `unix_s`, `unix_ms`. The first that fits is taken; two that would read one text as different"
        " days are refused.", default='`["iso"]`'),
    Key("zone", ("template",), "The zone of these instants, where it is not that of the mapping; `{column}`:"
        " each row has its own."),
    Key("time", ("text",), "The time of day, `09:00`, of a field that is an instant where the file knows"
        " the day."),
    Key("twice", ("text",), "Which of two instants is meant when the clocks are set back. Else such an"
        " instant is"
        " refused.", choices=("earlier", "later")),
    Key("decimal", ("text",), "The decimal mark of a number.", choices=(".", ","), default="`.`"),
    Key("thousands", ("text",), "The mark between thousands: `.`, `,`, a blank or `'`. Each group has three"
        " digits, or the number is refused."),
    Key("strip", ("texts",), "Texts taken off around a number: `[\"R$\", \"EUR\", \"%\"]`."),
    Key("percent", ("flag",), "The number is one of a hundred: 30 is 0.3."),
    Key("yes", ("texts",), "Texts of a flag that are true.", default='`["true", "yes", "1"]`, in any case'),
    Key("no", ("texts",), "Texts of a flag that are false.", default='`["false", "no", "0"]`, in any case'),
)  # fmt: skip

CONDITION = (
    Key("value", ("template", "texts"), "What is looked at.", is_required=True),
    Key("is", ("text",), "It is this text."),
    Key("in", ("texts",), "It is one of these."),
    Key("not_in", ("texts",), "It is there, and none of these."),
    Key("is_blank", ("flag",), "It is missing (`true`), or there (`false`)."),
    Key("matches", ("text",), "It holds a match of this regular expression; `^` and `$` stand for its ends."),
    Key("at_least", ("number",), "It is a number of at least this."),
    Key("at_most", ("number",), "It is a number of at most this."),
    Key("case", ("text",), "Changes the text before it is compared.", choices=("lower", "upper", "snake")),
    Key("decimal", ("text",), "The decimal mark of the number.", choices=(".", ",")),
    Key("thousands", ("text",), "The mark between its thousands."),
)  # fmt: skip
ANY = Key("any", ("conditions",), "One of these conditions is met.")

TABLES = {"mapping": MAPPING, "file": FILE, "event": EVENT, "field": FIELD, "condition": CONDITION}
