public import NGSI

/// What a city says of its data: what it gives out, what its entities are held against, what it refused.
public struct DataReport: Sendable {
  /// A dataset of the catalogue.
  public struct Dataset: Sendable {
    public var id: String
    public var title: LocalizedText
    public var publisher: LocalizedText
    public var licence: String
    /// Shares from 0 to 1, `nil` where nothing tells.
    public var completeness: Double?
    public var timeliness: Double?
    public var validity: Double?

    public init(
      id: String, title: LocalizedText, publisher: LocalizedText, licence: String, completeness: Double? = nil,
      timeliness: Double? = nil, validity: Double? = nil
    ) {
      self.id = id
      self.title = title
      self.publisher = publisher
      self.licence = licence
      self.completeness = completeness
      self.timeliness = timeliness
      self.validity = validity
    }
  }

  /// The data model of a type, with the entities judged since the start and those that did not meet it.
  public struct Model: Sendable {
    public var type: String
    public var judged: Int
    public var failed: Int

    public init(type: String, judged: Int, failed: Int) {
      self.type = type
      self.judged = judged
      self.failed = failed
    }
  }

  /// What one source was refused for one reason.
  public struct Refusal: Sendable {
    public var door: String
    public var source: String
    public var problem: String
    public var detail: String
    public var sample: String
    public var count: Int
    public var firstAt: DateTime
    public var lastAt: DateTime

    public init(
      door: String, source: String, problem: String, detail: String, sample: String, count: Int, firstAt: DateTime,
      lastAt: DateTime
    ) {
      self.door = door
      self.source = source
      self.problem = problem
      self.detail = detail
      self.sample = sample
      self.count = count
      self.firstAt = firstAt
      self.lastAt = lastAt
    }
  }

  public var datasets: [Dataset] = []
  public var models: [Model] = []
  /// `strict`, `warn` or `open`.
  public var mode = "warn"
  /// A window on the refusals, the latest first, and how many there are.
  public var refusals: [Refusal] = []
  public var refusalCount = 0

  public init() {}
}

extension CitySource {
  /// Nothing, for a city that keeps none of it.
  public func dataReport(refusalsFrom offset: Int, limit: Int) async -> DataReport { DataReport() }
}
