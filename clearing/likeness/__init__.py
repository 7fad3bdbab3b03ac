"""Near duplicates (疑似重复): spending that was claimed before under a re-typed number, date, amount or contract.

Exact identities are the registry's (``clearing.claims.registry``). Here a background sweep compares the lines of one
enterprise with each other by an established record-linkage library, and a pair above the threshold of the later
claim's tenant holds that claim until a person decides. A near duplicate never refuses a claim.

What crosses tenants. The sweep is the service's own: it reads the live claims of all tenants, because the second
platform is where a re-typed claim turns up. What it leaves behind belongs to the later claim's tenant alone and, of the
other side, names the platform, the month and a reference. Where both claims are of one tenant the pair also keeps the
score and what speaks for it, field by field; where they are not, it keeps neither, because a score or "the amount is
equal" would tell the one what stands in the other's claim. The comparison side by side reads both claims through the
row-level security of whoever asks: a claim that he may not read is not shown. Support records take no part: nothing of
them is kept but digests. The engine gets credit codes, invoice, receipt and contract numbers, names, titles, days and
amounts in memory, and keeps nothing; account numbers, phones and persons it never gets.
"""
