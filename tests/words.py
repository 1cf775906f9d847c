"""Words that pages and help texts avoid: archaic, or with a plainer term in the glossary."""

import re

UNCLEAR = re.compile(
    r"\b(whoever|anew|vouch(es|ed)?|mend(s|ed)?|told of|tells of|ill|somebody|nobody|everybody)\b",
    re.IGNORECASE,
)
