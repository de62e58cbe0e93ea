import Cameras
import Foundation
import Incidents
import Vision

/// The cameras of a city: where they are, what is looked for in their pictures, how long those are kept. Data of the city, read
/// from a file beside its manifest (`docs/cctv.md` describes it).
public struct SurveillancePlan: Sendable {
  public struct Name: Sendable, Hashable {
    public var ko, en: String

    public init(ko: String, en: String) { (self.ko, self.en) = (ko, en) }
  }

  public struct Camera: Sendable {
    /// URI of its entity.
    public var id: String
    public var name: Name
    /// Path or address without name and password; those are at the place that ``login`` names.
    public var source: String
    public var login: Secret?
    public var place: Position
    /// Degrees clockwise from north; `nil` for one that turns or sees all round.
    public var bearing: Double?
    /// Degrees.
    public var fieldOfView: Double
    /// Metres at which people are seen.
    public var range: Double
    public var zones: [Zone]
    public var privacy: PrivacyPlan
    /// The scope of its entity, such as `/north`.
    public var scope: String?
    /// Whether nobody real is in its pictures: those are seen without a grant.
    public var isSynthetic: Bool

    public init(
      id: String, name: Name, source: String, login: Secret? = nil, place: Position, bearing: Double? = nil,
      fieldOfView: Double = 90, range: Double = 100, zones: [Zone] = [], privacy: PrivacyPlan = PrivacyPlan(),
      scope: String? = nil, isSynthetic: Bool = false
    ) {
      (self.id, self.name, self.source, self.login) = (id, name, source, login)
      (self.place, self.bearing, self.fieldOfView, self.range) = (place, bearing, fieldOfView, range)
      (self.zones, self.privacy, self.scope, self.isSynthetic) = (zones, privacy, scope, isSynthetic)
    }

    /// What it is called in file names and addresses: its id's last part.
    public var shortName: String { id.split(separator: ":").last.map(String.init) ?? id }
  }

  /// Where a secret is to be had.
  public enum Secret: Sendable, Hashable {
    case environment(String)
    case file(String)
  }

  /// What a rule's event is reported as.
  public struct Reporting: Sendable, Hashable {
    public var category: String
    public var severity: Severity

    public init(category: String, severity: Severity) { (self.category, self.severity) = (category, severity) }
  }

  /// How long video stays. What is too old goes, whatever it shows; clips of an incident that is open stay until it is closed.
  public struct Keeping: Sendable, Hashable {
    /// Seconds.
    public var clips: Double
    public var exports: Double
    /// Bytes of all clips; then of all exports.
    public var most: Int

    public init(clips: Double, exports: Double, most: Int) {
      (self.clips, self.exports, self.most) = (clips, exports, most)
    }
  }

  public var cameras: [Camera]
  public var reporting: [Zone.Name: Reporting]
  public var keeping: Keeping

  public init(cameras: [Camera], reporting: [Zone.Name: Reporting] = [:], keeping: Keeping) {
    (self.cameras, self.reporting, self.keeping) = (cameras, reporting, keeping)
  }

  public func camera(_ id: String) -> Camera? { cameras.first { $0.id == id } }
}
