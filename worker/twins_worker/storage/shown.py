"""URIs as a person may see them."""


def shown_uri(uri: str) -> str:
    """``uri`` fit for messages and reports: one of the web without user, password and query, where secrets are.

    Keys of buckets and names of files are verbatim: a ``?`` there is a part of the name.
    """
    scheme, colon, rest = uri.partition("://")
    if scheme.lower() not in {"http", "https"}:
        return uri
    address, hash_sign, member = rest.partition("#")
    host, slash, path = address.partition("?")[0].partition("/")
    return f"{scheme}{colon}{host.rpartition('@')[2]}{slash}{path}{hash_sign}{member}"
