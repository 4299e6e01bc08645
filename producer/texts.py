"""The compiled texts of an order, and which of them a row gets."""

from __future__ import annotations

from producer.order import Order
from producer.recipients import Row, variable_name
from worker.errors import InputError
from worker.text.formats import is_locale
from worker.text.template import Template

USUAL_LOCALE = "en"


class Texts:
    """One template for all rows, or one for each language.

    Attributes:
        variables: what they ask for, the column of languages included: each has to be a column.
        column: the variable with the language; None: there is one text.
        one: the template of that text.
        constant: the one template, where no row changes it.
    """

    def __init__(self, order: Order) -> None:
        """Compile them; raises InputError ``template_syntax``, naming the language of several."""
        self._languages = order.languages
        self._locale = order.locale
        several = order.languages.texts if order.languages else {"": order.template}
        self._templates = {language: self._compiled(language, source) for language, source in several.items()}
        self.column = variable_name(order.languages.column) if order.languages else None
        self.one = None if self.column else self._templates[""]
        self.constant = self.one if self.one and self.one.is_constant else None
        self.variables = frozenset().union(*(each.variables for each in self._templates.values()))

    def _compiled(self, language: str, source: str) -> Template:
        locale = self._locale or (language if is_locale(language) else USUAL_LOCALE)
        try:
            return Template(source, locale=locale)
        except InputError as error:
            if not language:
                raise
            raise InputError(f"the text for {language}: {error}", code=error.code, line=error.line) from None

    def language(self, row: Row) -> str:
        """Return the language of a row; empty where there is one text.

        Raises:
            InputError: ``language_missing`` or ``language_unknown``, with the column.
        """
        if self._languages is None or self.column is None:
            return ""
        written = row.values[self.column]
        if chosen := self._languages.chosen(written):
            return chosen
        known = ", ".join(sorted(self._templates))
        words, code = (
            (f"the language is none of {known}", "language_unknown")
            if written
            else (f"there is no language; the texts are in {known}", "language_missing")
        )
        raise InputError(words, code=code, column=self._languages.column)

    def template(self, row: Row) -> Template:
        """Return the template for a row; raises as ``language``."""
        return self.one or self._templates[self.language(row)]
