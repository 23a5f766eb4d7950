"""What a person did that cannot work, said so that they know what to do next."""


class RequestError(Exception):
    """A request that can never work as it is written.

    ``field`` is where it was written (``model.weights``), ``value`` what was written, ``problem`` why that
    cannot work and ``remedy`` the way out.
    """

    def __init__(self, field: str, value: object, problem: str, remedy: str) -> None:
        super().__init__(field, value, problem, remedy)
        self.field, self.value, self.problem, self.remedy = field, value, problem, remedy

    def __str__(self) -> str:
        return f"{self.field}: {str(self.value)!r} {self.problem}. {self.remedy}"
