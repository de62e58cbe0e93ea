import Patterns

/// What a query may cost at most; the health page lists these.
public enum QueryLimits {
  /// Characters of one query text.
  public static let text = 16_384
  /// Parentheses and braces inside one another.
  public static let depth = 64
  /// Terms of a filter, names of a selection, members of a value list, all counted together.
  public static let terms = 1_000
  /// Relationships that one path may follow.
  public static let linkedDepth = 8
  /// Characters of a regular expression.
  public static let pattern = Pattern.maxCharacters
  /// Positions of the geometry of a geographic query.
  public static let positions = 10_000
  /// Positions of the geometry of `near` and of ordering by distance.
  public static let distancePositions = 1_000
  /// Keys of `orderBy`.
  public static let orderKeys = 16
}
