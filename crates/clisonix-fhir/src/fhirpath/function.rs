//! The functions by name, with how many arguments they take.

macro_rules! functions {
    ($($name:literal $variant:ident $least:literal $most:literal,)*) => {
        /// A function of `FHIRPath` or FHIR.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Function { $($variant,)* }

        impl Function {
            /// The function of that name.
            pub(super) fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// Its name.
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The fewest and the most arguments.
            pub(super) fn arguments(self) -> (usize, usize) {
                match self { $(Self::$variant => ($least, $most),)* }
            }
        }
    };
}

functions! {
    // N1 5.1: existence.
    "empty" Empty 0 0,
    "exists" Exists 0 1,
    "all" All 1 1,
    "allTrue" AllTrue 0 0,
    "anyTrue" AnyTrue 0 0,
    "allFalse" AllFalse 0 0,
    "anyFalse" AnyFalse 0 0,
    "subsetOf" SubsetOf 1 1,
    "supersetOf" SupersetOf 1 1,
    "count" Count 0 0,
    "distinct" Distinct 0 0,
    "isDistinct" IsDistinct 0 0,
    // N1 5.2: filtering and projection.
    "where" Where 1 1,
    "select" Select 1 1,
    "repeat" Repeat 1 1,
    "ofType" OfType 1 1,
    // N1 5.3: subsetting.
    "single" Single 0 0,
    "first" First 0 0,
    "last" Last 0 0,
    "tail" Tail 0 0,
    "skip" Skip 1 1,
    "take" Take 1 1,
    "intersect" Intersect 1 1,
    "exclude" Exclude 1 1,
    "sort" Sort 0 64,
    // N1 5.4: combining.
    "union" Union 1 1,
    "combine" Combine 1 1,
    // N1 5.5: conversion.
    "iif" Iif 2 3,
    "toBoolean" ToBoolean 0 0,
    "convertsToBoolean" ConvertsToBoolean 0 0,
    "toInteger" ToInteger 0 0,
    "convertsToInteger" ConvertsToInteger 0 0,
    "toDate" ToDate 0 0,
    "convertsToDate" ConvertsToDate 0 0,
    "toDateTime" ToDateTime 0 0,
    "convertsToDateTime" ConvertsToDateTime 0 0,
    "toTime" ToTime 0 0,
    "convertsToTime" ConvertsToTime 0 0,
    "toDecimal" ToDecimal 0 0,
    "convertsToDecimal" ConvertsToDecimal 0 0,
    "toQuantity" ToQuantity 0 1,
    "convertsToQuantity" ConvertsToQuantity 0 1,
    "toString" ToString 0 0,
    "convertsToString" ConvertsToString 0 0,
    // N1 5.6: strings.
    "indexOf" IndexOf 1 1,
    "lastIndexOf" LastIndexOf 1 1,
    "substring" Substring 1 2,
    "startsWith" StartsWith 1 1,
    "endsWith" EndsWith 1 1,
    "contains" Contains 1 1,
    "upper" Upper 0 0,
    "lower" Lower 0 0,
    "replace" Replace 2 2,
    "matches" Matches 1 1,
    "matchesFull" MatchesFull 1 1,
    "replaceMatches" ReplaceMatches 2 2,
    "length" Length 0 0,
    "toChars" ToChars 0 0,
    "encode" Encode 1 1,
    "decode" Decode 1 1,
    "escape" Escape 1 1,
    "unescape" Unescape 1 1,
    "trim" Trim 0 0,
    "split" Split 1 1,
    "join" Join 0 1,
    // N1 5.7: mathematics.
    "abs" Abs 0 0,
    "ceiling" Ceiling 0 0,
    "exp" Exp 0 0,
    "floor" Floor 0 0,
    "ln" Ln 0 0,
    "log" Log 1 1,
    "power" Power 1 1,
    "round" Round 0 1,
    "sqrt" Sqrt 0 0,
    "truncate" Truncate 0 0,
    // N1 5.8 and 5.9: the tree; N1 6.3, 6.5, 7 and what came after N1.
    "children" Children 0 0,
    "descendants" Descendants 0 0,
    "trace" Trace 1 2,
    "now" Now 0 0,
    "timeOfDay" TimeOfDay 0 0,
    "today" Today 0 0,
    "is" Is 1 1,
    "as" As 1 1,
    "not" Not 0 0,
    "aggregate" Aggregate 1 2,
    "type" Type 0 0,
    "lowBoundary" LowBoundary 0 1,
    "highBoundary" HighBoundary 0 1,
    "precision" Precision 0 0,
    "comparable" Comparable 1 1,
    // FHIR R4 2.9: additional functions.
    "extension" Extension 1 1,
    "hasValue" HasValue 0 0,
    "getValue" GetValue 0 0,
    "resolve" Resolve 0 0,
    "memberOf" MemberOf 1 1,
    "conformsTo" ConformsTo 1 1,
    "subsumes" Subsumes 1 1,
    "subsumedBy" SubsumedBy 1 1,
    "checkModifiers" CheckModifiers 0 64,
    "htmlChecks" HtmlChecks 0 0,
}
