"""The wordings of what problems of a few variables say, by what they say. Data alone; see `words.py` for the notation.

`{A}` decides; `{v}`, `{v3}`, `{vd}`, `{ving}` are the forms of the verb; `{x}` are several of an item, `{x1}` is one;
`{nx}` is a number of it, `{numx}` "the number of ..."; `{g}` are all items together. `!` marks held-out wordings.
"""

from __future__ import annotations

from typing import Final

from data.synthesis.words import Table

__all__ = ["TABLES"]

_LE: Final = "<at most|no more than|not more than|a maximum of|up to|at most|no more than>"
_GE: Final = "<at least|at least|no less than|a minimum of|no fewer than>"
_GE_CAN: Final = "<must|must|has to|needs to|should|is required to|wants to|plans to>"
_BE_GE: Final = "<must|must|need to|have to|should|are to>"
_IN_ALL: Final = "<in total|altogether|overall|in all|combined>"

_WORDINGS: Final[dict[str, tuple[str, ...]]] = {
    # ---- openings --------------------------------------------------------------------------------------------------
    "intro": (
        "{A} {v3} {xs}",
        "{A} {v3} {k} <types|kinds|sorts> of {g}<:|,> {xs}",
        "{A} <can|is able to|may> {v} {xs}",
        "{A} <is planning|plans|intends|has decided> to {v} {xs}",
        "{A} <wants|would like|has> to {v} {xs}",
        "{k} <types|kinds> of {g} can be {vd} by {A}: {xs}",
        "{A} <specializes in|is considering|is thinking about> {ving} {xs}",
        "{A} has to decide how {many} {xs} <to {v}|it pays to {v}|should be {vd}>",
        "there are {k} {g} that {A} <can|may> {v}: {xs}",
        "{A} <offers|has the choice of> {k} <different|> options: {ving} {xs_or}",
        "in <a small town|the harbor district|the next season|the coming month>, {A} <will|is going to> {v} {xs}",
        "<this|every|each> <week|month|season>, {A} {v3} {xs}",
        "!{A} has narrowed the choice down to {xs}",
        "!{xs} are the {g} that {A} {v3}",
        "!when it comes to {g}, {A} {v3} nothing but {xs}",
    ),
    "intro invest": (
        "{A} has <money|savings|some capital> to {v} in {xs}",
        "{A} <wants|plans|has decided> to {v} <money|funds|savings> in {xs}",
        "{A} <can|may> {v} <money|> in {xs}",
        "{A} is <choosing|deciding> between {k} <options|opportunities>: {xs}",
        "{k} <options|opportunities> are open to {A}: {xs}",
        "!{A} would like to put some money to work in {xs}",
    ),
    "intro goal": (
        "{A} {v3} {xs} and wants to {optimize} {quantity}",
        "{A} <wants|would like|is trying|needs> to {optimize} {quantity} <from|when|by> {ving} {xs}",
        "{A}, which {v3} {xs}, wants to {optimize} {quantity}",
        "!to {optimize} {quantity} is what {A} aims for when {ving} {xs}",
    ),
    # ---- what one unit takes or gives -----------------------------------------------------------------------------
    "data item": (
        "<each|every> {x1} {uses}",
        "each {x1} {uses}",
        "@ {x1} {uses}",
        "{one} {x1} {uses}",
        "!with every {x1} comes the following: it {uses}",
    ),
    "data named": (
        "{x1} {uses}",
        "!as to {x1}, it {uses}",
    ),
    "profit each named": (
        "the {stuff} <of|from> {x1} is {a}",
        "{x1} <brings|earns|yields> {a}<| in {stuff}| of {stuff}>",
        "!{a} of {stuff} <comes|is to be had> from {x1}",
    ),
    "cost each named": (
        "{x1} costs {a}",
        "the {stuff} of {x1} is {a}",
        "{A} must pay {a} for {x1}",
        "!{x1} is to be had for {a}",
    ),
    "data attribute": (
        "each {x1} {use} {a} <and|while|whereas|but> each {y1} {use} {b}",
        "@ {x1} {use} {a} <and|while|whereas> @ {y1} {use} {b}",
        "{one} {x1} {use} {a} <and|while> {one} {y1} {use} {b}",
        "{x} {plural_use} {a} <each|apiece> <and|while|whereas> {y} {plural_use} {b}",
        "the {stuff} <needed|counted|reckoned> per {x1} is {a} and per {y1} {b}",
        "!compare the {stuff}: {a} per {x1} against {b} per {y1}",
    ),
    "data respectively": (
        "{xs} {plural_use} {ns}<,|> respectively",
        "for {xs}, the figures are {ns}<,|> respectively",
    ),
    "profit each": (
        "the {stuff} <per|on each|for each|from each> {x1} is {a}",
        "each {x1} <brings|earns|yields|generates> <@ |>{stuff} of {a}",
        "{A} <earns|makes|gets> <@ |>{stuff} of {a} <on|for|from|per> <each|every> {x1}",
        "@ {x1} <brings in|yields|earns> {a} <in|of> {stuff}",
        "<each|every> {x1} sold <results in|means> <@ |>{stuff} of {a}",
        "{a} of {stuff} is <made|earned> <on|for> <each|every> {x1}",
        "!from every {x1}, {a} ends up as {stuff}",
    ),
    "cost each": (
        "<each|@|every> {x1} costs {a}",
        "the {stuff} <per|of each|of {one}|for each> {x1} is {a}",
        "{A} <pays|spends> {a} <for|on> <each|every> {x1}",
        "<each|every> {x1} <comes with|has> <@ |>{stuff} of {a}",
        "@ {x1} <can be had for|comes at> {a}",
        "!expect to spend {a} for every {x1}",
    ),
    "return each": (
        "<money in|the money invested in|every dollar in> {x_} <earns|yields|returns> {a}<| <a year|annually>>",
        "investments in {x_} <yield|have|give|offer> @ {stuff} of {a}",
        "the <annual|expected|average|yearly|> {stuff} <on|of|from> {x_} is {a}",
        "!for {x_}, count on @ {stuff} of {a}",
    ),
    # ---- resources and requirements -------------------------------------------------------------------------------
    "use <=": (
        "{A} has <only|at most|up to|> {n} available",
        "{A} <only|> has available {n}",
        "{A} has {n}<| <per week|a month|each day|this season|at hand>>",
        "there are <only|at most|> {n} <available|on hand|left>",
        "{LE} {n} <can|may> be used",
        "<the supply|the stock|the available amount> of {stuff} is {nu}",
        "{A} <can|may> <use|spend|consume> {LE} {n}",
        "{A} <cannot|can not|must not> use more than {n}",
        "<the total amount of|the total> {stuff} <cannot|must not|may not> exceed {nu}",
        "{stuff} is limited to {nu}",
        "{A} has access to {n}",
        "{A} <is allowed|is restricted to> {LE} {n}",
        "the <total|> {stuff} must <be at most|stay at or below> {nu}",
        "in <total|all>, {A} {LEcan} use {LE} {n}",
        "!{n} is all that {A} can count on",
        "!beyond {n}, nothing more can be had",
    ),
    "give >=": (
        "{A} <must|needs to|has to|wants to> <get|obtain|have|reach> {GE} {n}",
        "{GE} {n} <are|is> <needed|required>",
        "{A} <needs|requires> {GE} {n}",
        "the total {stuff} must be <at least|no less than> {nu}",
        "there must be {GE} {n}",
        "{A} has to meet a <demand|target> of {GE} {n}",
        "<the demand is|demand calls for|the plan calls for> {GE} {n}",
        "{A} must <provide|supply|come up with> {GE} {n}",
        "!anything short of {n} will not do",
    ),
    "give <=": (
        "{A} <can|may|should> <have|get|take in> {LE} {n}",
        "the total {stuff} <must not exceed|cannot exceed|should be at most> {nu}",
        "there <can|may> be {LE} {n}",
        "{LE} {n} <are|is> allowed",
        "!{n} is the ceiling for {stuff}",
    ),
    "earn >=": (
        "{A} <must|needs to|wants to> <make|earn|reach> {GE} {n} <in|of> {stuff}",
        "the <total|> {stuff} must be <at least|no less than> {n}",
        "!the {stuff} may not fall below {n}",
    ),
    "pay <=": (
        "{A} has a budget of {n}",
        "{A} can spend {LE} {n}",
        "the <total|weekly|available|> budget is {n}",
        "the total {stuff} <must not|cannot|may not> exceed {n}",
        "{A} <wants|has> to keep the {stuff} <at or below|to at most|within> {n}",
        "{A} <has|has available> {n} to spend",
        "there is a budget of {n}",
        "money is <tight|scarce|short>. {A} can spend {LE} {n}",
        "!{A} is not going to part with more than {n}",
    ),
    "risk <=": ("the total {stuff} must be at most {nu}",),
    "two limits": (
        "{A} has <available |>{n} and {m}<| available>",
        "there are {n} and {m} available",
        "{LE} {n} and {LE} {m} can be used",
        "!all there is are {n} as well as {m}",
    ),
    "two needs": (
        "{A} <must|needs to|has to> <get|obtain|have> {GE} {n} and {GE} {m}",
        "{GE} {n} and {GE} {m} are <needed|required>",
        "{A} needs {GE} {n} and {m}",
    ),
    # ---- one variable ---------------------------------------------------------------------------------------------
    "bound >=": (
        "{A} {must} {v} {GE} {nx}",
        "{GE} {nx} {be_must} be {vd}",
        "there must be {GE} {nx}",
        "{numx} must be <at least|no less than> {n}",
        "{GE} {nx} <are needed|are required|are a must>",
        "{A} has <promised|agreed|committed|a contract> to {v} {GE} {nx}",
        "{A} cannot {v} <fewer|less> than {nx}",
        "at least {nx} have been <ordered|requested|asked for> and {be_must} be {vd}",
        "<contracts|regular customers|regulations|rules> <require|demand> that {A} {v3} {GE} {nx}",
        "!without {GE} {nx}, the plan falls through",
        "{x} are <popular|in demand|needed>. <Therefore|Hence|For this reason|So>, {GE} {nx} {be_must} be {vd}",
        "there is a minimum for {x}. At least {n} of them {be_must} be {vd}",
        "!{numx} may not drop under {n}",
    ),
    "bound <=": (
        "{A} can {v} {LE} {nx}",
        "{LE} {nx} can be {vd}",
        "there can be {LE} {nx}",
        "{numx} <cannot|must not|can not|may not> exceed {n}",
        "{numx} <must be at most|is limited to|is capped at> {n}",
        "{A} <cannot|must not|does not want to> {v} more than {nx}",
        "there <is room|is demand|is a market> for {LE} {nx}",
        "{A} is <allowed|permitted|able> to {v} {LE} {nx}",
        "<demand|space|time> for {x} is <limited|short>. <Therefore|Hence|As a result|So>, {LE} {nx} can be {vd}",
        "!{nx} would be the limit",
    ),
    "bound ==": (
        "exactly {nx} {be_must} be {vd}",
        "{A} {must} {v} exactly {nx}",
        "{numx} <must equal|has to be exactly|must be equal to> {n}",
        "!it has to be {nx}, exactly",
    ),
    "two bounds >=": (
        "{A} {must} {v} {GE} {nx} and <at least|> {my}",
        "there must be {GE} {nx} and {GE} {my}",
        "at least {nx} and at least {my} {be_must} be {vd}",
        "{GE} {nx} as well as {GE} {my} are <needed|required>",
    ),
    "two bounds <=": (
        "{A} can {v} {LE} {nx} and {LE} {my}",
        "{LE} {nx} and {LE} {my} can be {vd}",
        "{numx} cannot exceed {n} and {numy} cannot exceed {m}",
        "!the limits are {nx} and {my}",
    ),
    "up and down": (
        "{A} {must} {v} {GE} {nx} but {LE} {my}",
        "there must be {GE} {nx} while {LE} {my} can be {vd}",
    ),
    "range": (
        "{A} {must} {v} between {low} and {nx}",
        "between {low} and {nx} {be_must} be {vd}",
        "{numx} must be between {low} and {n}",
        "at least {low} but <no|not> more than {nx} {be_must} be {vd}",
        "{A} can {v} from {low} to {nx}",
        "{numx} <is|has> to <lie|stay> between {low} and {n}",
        "!{numx} ranges from {low} up to {n}",
    ),
    # ---- sums -----------------------------------------------------------------------------------------------------
    "sum <=": (
        "{LE} {ng} can be {vd} {ALL}",
        "{A} can {v} {LE} {ng} {ALL}",
        "the total number of {g} <cannot exceed|must be at most|is limited to|must not be more than> {n}",
        "{ALL}, {A} can {v} {LE} {ng}",
        "{A} has <room|capacity|space> for {LE} {ng} {ALL}",
        "!counting everything together, {n} is the most that can be {vd}",
    ),
    "sum >=": (
        "{GE} {ng} {be_must} be {vd} {ALL}",
        "{A} {must} {v} {GE} {ng} {ALL}",
        "the total number of {g} must be <at least|no less than> {n}",
        "{ALL}, {A} {must} {v} {GE} {ng}",
        "!taken together, the {g} have to number {n} or more",
    ),
    "sum ==": (
        "exactly {ng} {be_must} be {vd} {ALL}",
        "the total number of {g} must <be exactly|equal> {n}",
        "{A} {must} {v} exactly {ng} {ALL}",
    ),
    "part sum <=": (
        "the <total|combined> number of {xs} <cannot exceed|must be at most|must not exceed> {n}",
        "{A} can {v} {LE} {n} {xs} {ALL}",
        "{xs} together <cannot exceed|may not exceed> {n}",
        "!of {xs}, no more than {n} fit in together",
    ),
    "part sum >=": (
        "the <total|combined> number of {xs} must be <at least|no less than> {n}",
        "{A} {must} {v} {GE} {n} {xs_or} {ALL}",
        "{xs} together must <amount to|number|come to> at least {n}",
    ),
    # ---- shares and comparisons -------------------------------------------------------------------------------------
    "share >=": (
        "{GE} {s} of <the|all> {g} must be {x_}",
        "{x_} must make up {GE} {s} of {allg}",
        "at least {s} of the {g} {vd} {be_must} be {x_}",
        "the share of {x_} <in|among> {allg} must be at least {s}",
        "{A} wants at least {s} of {allg} to be {x_}",
        "!{x_} have to account for {s} or more of {allg}",
    ),
    "share <=": (
        "{LE} {s} of <the|all> {g} <can|may> be {x_}",
        "{x_} <cannot|must not|may not> make up more than {s} of {allg}",
        "no more than {s} of the {g} {vd} <can|may> be {x_}",
        "the share of {x_} <in|among> {allg} <must not|cannot> exceed {s}",
        "{x_} can be {LE} {s} of {allg}",
        "!{x_} have to stay within {s} of {allg}",
    ),
    "compare >=": (
        "{A} {must} {v} at least {f} as {many} {x} as {y}",
        "there must be at least {f} as {many} {x} as {y}",
        "{numx} must be at least {f} {numy}",
        "at least {f} as {many} {x} as {y} {be_must} be {vd}",
        "{numx} must be <no less than|at least> {f} {numy}",
        "{x} are <more popular|preferred to {y}>. <Therefore|Thus|So>, {numx} must be at least {f} {numy}",
        "!for {y}, there have to be at least {f} as {many} {x}",
    ),
    "compare <=": (
        "{A} can {v} at most {f} as {many} {x} as {y}",
        "{numx} <cannot|must not|may not> exceed {f} {numy}",
        "{numx} <must|can> be at most {f} {numy}",
        "there can be at most {f} as {many} {x} as {y}",
        "{numx} cannot be more than {f} {numy}",
        "!{numx} has to stay within {f} {numy}",
    ),
    "compare 1 >=": (
        "there must be at least as {many} {x} as {y}",
        "{numx} must be at least {numy}",
        "{numx} cannot be less than {numy}",
        "{A} {must} {v} at least as {many} {x} as {y}",
        "!{x} may not be outnumbered by {y}",
    ),
    "compare 1 <=": (
        "{numx} <cannot|must not|can not> exceed {numy}",
        "there cannot be more {x} than {y}",
        "{A} cannot {v} more {x} than {y}",
        "{numx} can be at most {numy}",
        "!{x} may not outnumber {y}",
    ),
    "difference >=": (
        "{A} {must} {v} at least {n} more {x} than {y}",
        "there must be at least {n} more {x} than {y}",
        "{numx} must exceed {numy} by at least {n}",
        "{numx} must be at least {n} more than {numy}",
        "!{x} have to be ahead of {y} by {n} or more",
    ),
    "difference <=": (
        "{A} can {v} at most {n} more {x} than {y}",
        "{numx} <can|may> exceed {numy} by at most {n}",
        "there can be no more than {n} more {x} than {y}",
        "!{x} may lead {y} by {n} at the very most",
    ),
    # ---- logic over amounts ----------------------------------------------------------------------------------------
    "if then": (
        "if <any|> {x} are {vd}, <then|> {y} must be {vd} <too|as well|also>",
        "if {A} {v3} <any|some> {x}, <then|> {A} must also {v} <some|> {y}",
        "{x} can only be {vd} if {y} are {vd} <too|as well>",
        "{ving} <any|> {x} <requires|means> also {ving} <some|> {y}",
        "{A} <will|can> not {v} {x} unless {A} also {v3} {y}",
        "!no {x} without {y}",
    ),
    "if not": (
        "if <any|> {x} are {vd}, <then|> no {y} <can|may> be {vd}",
        "if {A} {v3} <any|> {x}, {A} <cannot|must not> {v} <any|> {y}",
        "{ving} <any|> {x} rules out {ving} {y}",
        "!{x} and {y} exclude each other",
    ),
    "both or neither": (
        "either both {x} and {y} are {vd} or neither",
        "{x} are {vd} if and only if {y} are {vd}",
        "{A} {v3} {x} exactly when {A} {v3} {y}",
        "!{x} come with {y}, or both are left out",
    ),
    "at most kinds": (
        "{A} can {v} {LE} {n} <different|> <kinds|types> of {g}",
        "at most {n} of {xs} can be {vd} at all",
        "{LE} {n} of the {k} {g} can be {vd}",
        "!the plan may mix {n} kinds of {g} at the very most",
    ),
    "at least kinds": (
        "{A} {must} {v} at least {n} <different|> <kinds|types> of {g}",
        "at least {n} of {xs} {be_must} be {vd}",
        "at least {n} of the {k} {g} {be_must} be {vd}",
        "!{n} or more kinds of {g} have to be in the plan",
    ),
    "exactly kinds": (
        "{A} {must} {v} exactly {n} <different|> <kinds|types> of {g}",
        "exactly {n} of {xs} {be_must} be {vd}",
    ),
    "either or": (
        "either at least {nx} or at least {my} {be_must} be {vd}",
        "{A} {must} {v} at least {nx} or at least {my}, or both",
        "{numx} must be at least {n} or {numy} must be at least {m}",
        "!at the planner's choice: {GE} {nx}, or {GE} {my}",
    ),
    "either or <=": (
        "either at most {nx} are {vd} or at least {my} are {vd}",
        "{numx} must not exceed {n} or {numy} must be at least {m}",
    ),
    "when at least": (
        "if <any|> {x} are {vd}, <then|> at least {ny} must be {vd}<| <too|as well>>",
        "if {A} {v3} <any|> {x}, {A} must also {v} at least {ny}",
        "whenever {x} are {vd}, no fewer than {ny} have to be {vd}",
        "{ving} <any|> {x} is only allowed with at least {ny}",
        "!{x} call for {ny} or more",
    ),
    "when at most": (
        "if <any|> {x} are {vd}, <then|> at most {ny} can be {vd}",
        "if {A} {v3} <any|> {x}, {A} can {v} no more than {ny}",
        "!once {x} are in the plan, {ny} are the most",
    ),
    "none or at least": (
        "if {A} {v3} <any|> {x}, {A} must {v} at least {nx}",
        "{A} {v3} either no {x} or at least {n}",
        "if <any|> {x} are {vd} at all, at least {nx} must be {vd}",
        "the minimum <order|batch|quantity> <for|of> {x} is {n} if any are {vd}",
        "!{x} are {vd} not at all or in a number of at least {n}",
    ),
    "none or between": (
        "if <any|> {x} are {vd}, there must be between {low} and {nx}",
        "{A} {v3} either no {x} or between {low} and {n} of them",
        "!{x}: none, or from {low} to {n}",
    ),
    "fixed charge": (
        "{ving} <any|> {x} <requires|incurs|brings> a <fixed|setup|{one}-time> <cost|charge|fee> of {n}",
        "if <any|> {x} are {vd}, a <fixed|setup|{one}-time|flat> <cost|charge|fee> of {n} must be paid",
        "there is a <fixed|{one}-time|setup> <cost|fee> of {n} for {ving} {x}, no matter how {many}",
        "before {ving} <any|> {x}, {A} must pay {n} once",
        "!{x} add {n} to the bill once, however {many} they are",
    ),
    "lots": (
        "{x} are {vd} in <batches|lots|groups> of {n}",
        "{numx} must be a multiple of {n}",
        "{x} can only be {vd} in <multiples|batches|packs> of {n}",
        "{A} can {v} {x} only in <lots|batches|sets> of {n}",
        "!{x} do not come in any other number than full sets of {n}",
    ),
    # ---- endings --------------------------------------------------------------------------------------------------
    "goal": (
        "how {many} {each} should {A} {v} to {optimize} {quantity}?",
        "how {many} {each} should be {vd} <in order |>to {optimize} {quantity}?",
        "how {many} {each} must be {vd} <so as |>to {optimize} {quantity}?",
        "{optimize} {quantity}",
        "{A} <wants|would like|aims|is looking> to {optimize} {quantity}",
        "<find|determine|work out> how {many} {each} {A} should {v} to {optimize} {quantity}",
        "<formulate|set up|write> <an LP|a model|a linear program|the problem> to {optimize} {quantity}",
        "what is the best <plan|combination|mix> <of {xs}|> to {optimize} {quantity}?",
        "the <goal|objective|aim> is to {optimize} {quantity}",
        "help {A} {optimize} {quantity}",
        "in order to {optimize} {quantity}, how {many} {each} should be {vd}?",
        "how can {A} {optimize} {quantity}?",
        "assuming everything {vd} is <sold|used>, how should {A} {optimize} {quantity}?",
        "what should {A} do to {optimize} {quantity}?",
        "!which plan would {optimize} {quantity}?",
        "!everything else being equal, {A} would rather {optimize} {quantity}",
    ),
    "goal first": (
        "{A} <wants|would like|aims|is looking|is trying> to {optimize} {quantity}",
        "the <goal|objective|aim> is to {optimize} {quantity}",
        "{optimize} {quantity} <in the following situation|under the following conditions>",
        "the <manager|team|owner> wants to {optimize} {quantity}",
        "!above all, {A} would like to {optimize} {quantity}",
    ),
    "goal if": (
        "if {data}, how {many} {each} should {A} {v} to {optimize} {quantity}?",
        "given that {data}, how {many} {each} should be {vd} to {optimize} {quantity}?",
        "if {data}, {optimize} {quantity}",
        "since {data}, {A} wants to {optimize} {quantity}",
        "!seeing that {data}, what plan would {optimize} {quantity}?",
    ),
    "goal invest": (
        "how much <money|> should {A} {v} in each <option|of them> to {optimize} {quantity}?",
        "how should {A} <divide|allocate|split> the money to {optimize} {quantity}?",
        "how much <money|> should be {vd} in each to {optimize} {quantity}?",
        "{optimize} {quantity}",
        "<formulate|set up|write> <an LP|a model> to {optimize} {quantity}",
        "{A} <wants|would like|aims> to {optimize} {quantity}",
        "!which split of the money would {optimize} {quantity}?",
    ),
    "sum <= invest": (
        "{A} has <a total of|> {n} to {v}",
        "{A} <can|may> {v} {LE} {n} {ALL}",
        "the total amount {vd} <cannot|must not> exceed {n}",
        "there <is|are> {n} <available|to {v}>",
        "!the sum to be {vd} is no more than {n}",
    ),
    "sum >= invest": ("{A} {must} {v} {GE} {n} {ALL}", "the total amount {vd} must be at least {n}"),
    "sum == invest": ("exactly {n} must be {vd} {ALL}",),
    "part sum <= invest": (
        "{A} can {v} {LE} {n} in {xs} {ALL}",
        "the total amount {vd} in {xs} cannot exceed {n}",
    ),
    "part sum >= invest": (
        "{A} {must} {v} {GE} {n} in {xs} {ALL}",
        "the total amount {vd} in {xs} must be at least {n}",
    ),
    "share >= invest": (
        "at least {s} of the <money|total investment|total amount> must be {vd} in {x_}",
        "{A} {must} {v} at least {s} of the <money|total> in {x_}",
        "{x_} must make up at least {s} of the <total investment|portfolio|total>",
        "!{s} of the total is the least that has to go into {x_}",
    ),
    "share <= invest": (
        "{LE} {s} of the <money|total investment|total amount> can be {vd} in {x_}",
        "{A} <cannot|must not> {v} more than {s} of the <money|total> in {x_}",
        "{x_} <cannot|must not> make up more than {s} of the <total investment|portfolio|total>",
        "!{s} of the total is the most that may go into {x_}",
    ),
    # ---- what fills a text ------------------------------------------------------------------------------------------
    "reason": (
        "due to <limited demand|popular demand|regulations|storage limits|a long-term contract|time constraints>",
        "because of <a contract|customer requests|space restrictions|past experience|the weather|new rules|the budget>",
        "to <satisfy regular customers|meet demand|limit waste|keep the staff happy|stay flexible|avoid complaints>",
        "since <storage space is tight|customers have preferences|demand is uneven|the owner insists|quality matters>",
        "for <safety|marketing|legal|practical> reasons",
        "according to <the manager|the latest survey|market research|company policy|the contract>",
        "as a matter of policy",
        "!by order of the management",
    ),
    "link": (
        "in addition", "additionally", "moreover", "furthermore", "also", "however", "further", "at the same time",
        "besides", "finally", "!on top of that", "!not to forget",
    ),
    "noise": (
        "{A} <was founded in|has been around since> {year}",
        "{A} <has|employs> {few} <regular|long-time|part-time> <helpers|assistants>",
        "the nearest competitor is {few} miles away",
        "last year, {A} had {lots} <visitors|customers|followers>",
        "<the shop|the building|the office> is {few} blocks from the <station|river|old town>",
        "about {lots} people live <in the area|nearby>",
        "{A} <won|received> {few} <awards|prizes> in {year}",
        "a similar <plan|project> took {few} weeks in {year}",
        "the manager has {few} years of experience",
        "!it took {few} meetings to agree on this",
    ),
    "filler": (
        "business has been <good|slow|steady> <lately|this year>",
        "all {g} are <popular|in demand|of good quality>",
        "{A} takes pride in <quality|service|fairness>",
        "<the weather|the market|the season> has been kind so far",
        "planning ahead <pays off|is important>",
        "the details are given <below|in what follows>",
        "!nobody expects any surprises",
    ),
    "whole": (
        "only whole {g} <count|can be {vd}|make sense>",
        "the number of {g} must be a whole number",
        "{A} can {v} only whole {g}",
        "!{g} come whole or not at all",
    ),
    "fractional": (
        "the number of {g} need not be whole",
        "fractions of {g} are <allowed|fine>",
        "amounts need not be whole numbers",
        "!{g} may be split at will",
    ),
}  # fmt: skip

_SHORT: Final = {
    "{LE}": _LE,
    "{GE}": _GE,
    "{must}": _GE_CAN,
    "{be_must}": _BE_GE,
    "{ALL}": _IN_ALL,
    "{LEcan}": "<can|may>",
}


def _written_out(wording: str) -> str:
    for short, long in _SHORT.items():
        wording = wording.replace(short, long)
    return wording


# People and boxes are no stuff of which there is an amount.
_PIECES: Final = {
    f"{name} pieces": tuple(w for w in _WORDINGS[name] if "{stuff}" not in w)
    + tuple(
        w.replace("the total {stuff}", "the total number of {stuff}")
        for w in _WORDINGS[name]
        if "the total {stuff}" in w
    )
    for name in ("use <=", "give >=", "give <=")
}

TABLES: Final = {name: Table(name, tuple(map(_written_out, found))) for name, found in (_WORDINGS | _PIECES).items()}
"""Tables of wordings by name."""
