import Cameras
import Foundation
import Hub
import Incidents
import NGSI
import Safety
import Store
import Synchronization
import Vision

/// Who sees which camera, and on what ground. Nothing is seen without a grant for the incident, the camera and the time; a view
/// ends with its grant, which ends with the incident. Each view, export and refusal is in the evidence log.
public final class VideoDesk: Sendable {
  /// What a grant has to be for: this attribute of the camera's entity.
  public static let attribute = "video"
  static var attributeName: String { Context.core.expand(attribute) }

  /// One person's look at one camera.
  public struct View: Sendable {
    /// Names it in the log and in the report.
    public let id: String
    /// The secret in the address of its pictures.
    public let token: String
    public let camera: String
    public let incident: String
    /// `nil` for pictures in which nobody real is.
    public let grant: Grant?
    let caller: Caller
    public let openedAt: DateTime
    var lastAt: DateTime
    var segments = 0
    /// The clip that is seen; `nil` for what the camera shows now.
    public let clip: String?
  }

  public enum Bounds {
    /// Views of one person at once.
    public static let views = 32
    /// Of all.
    public static let allViews = 2_000
    /// Seconds after which a view that asks for nothing has ended.
    static let silence = 30.0
    /// Seconds of an export at most.
    public static let export = 900.0
    public static let exports = 10_000
  }

  public let station: CameraStation
  let hub: Hub
  let safety: SafetyService
  private let views = Mutex<[String: View]>([:])
  private let looked = Mutex<[String: DateTime]>([:])
  private let refusals = Mutex<[String: DateTime]>([:])

  public init(station: CameraStation) {
    self.station = station
    (hub, safety) = (station.hub, station.safety)
  }

  // MARK: - The ground

  /// The grant under which the caller may see a camera's video for an incident now; `nil` for a synthetic camera.
  ///
  /// - Throws: `Forbidden` where there is none, `Conflict` where the incident is over, `ResourceNotFound`.
  public func ground(_ camera: String, for incident: String, in tenant: Tenant = .default) throws(Problem) -> Grant? {
    guard let known = station.plan.camera(camera) else { throw .notFound("there is no camera \(camera.prefix(200))") }
    let state = try safety.record(incident, in: tenant).incident
    guard !state.status.isOver, state.status != .resolved else {
      throw Problem(.conflict, "the incident is over: its grants have ended, and nothing is seen for it any more")
    }
    guard !known.isSynthetic else { return nil }
    let result = Caller.$current.withValue(.city) {
      Result { () throws(Problem) in try hub.entity(camera, in: tenant) }
    }
    let entity = try result.get()
    guard
      let grant = try hub.grantInForce(.read, on: entity, attribute: Self.attributeName, for: incident, in: tenant)
    else {
      throw Problem(
        .forbidden,
        "no grant lets you see the video of this camera for this incident now: ask for one, or break the glass where life is at stake"
      )
    }
    return grant
  }

  // MARK: - Views

  /// Begins to look.
  ///
  /// - Parameter clip: the clip to see; what the camera shows now where there is none.
  /// - Throws: as ``ground(_:for:in:)``, and that is recorded; `TooManyRequests` for too many views.
  public func open(_ camera: String, for incident: String, clip: String? = nil) async throws(Problem) -> View {
    let caller = Caller.current
    let grant: Grant?
    do throws(Problem) { grant = try ground(camera, for: incident) } catch {
      if error.kind == .forbidden { await recordRefusal(camera, incident, caller) }
      throw error
    }
    if let clip { try requireClip(clip, of: camera, for: incident) }
    let view = View(
      id: Self.secret(1), token: Self.secret(3), camera: camera, incident: incident, grant: grant, caller: caller,
      openedAt: hub.time, lastAt: hub.time, clip: clip)
    let isRoom = views.withLock { views in
      views.count < Bounds.allViews && views.values.count { $0.caller.isSame(as: caller) } < Bounds.views
    }
    guard isRoom else {
      throw Problem(.tooManyRequests, "one person sees at most \(Bounds.views) cameras at once; close some")
    }
    try await write(view, "open")
    views.withLock { $0[view.token] = view }
    looked.withLock { $0[camera] = view.openedAt }
    return view
  }

  /// A view that lasts, of the caller.
  ///
  /// - Throws: `ResourceNotFound` for one that has ended or is another's; as ``ground(_:for:in:)``.
  func live(_ token: String, counting segments: Int = 0) throws(Problem) -> View {
    let caller = Caller.current
    guard let view = views.withLock({ $0[token] }), view.caller.isSame(as: caller) else {
      throw .notFound("there is no such view, or it has ended")
    }
    // Asked each time: what it stands on may have ended since.
    _ = try ground(view.camera, for: view.incident)
    let now = hub.time
    views.withLock { views in
      views[token]?.lastAt = now
      views[token]?.segments += segments
    }
    looked.withLock { $0[view.camera] = now }
    return view
  }

  /// What a browser needs to play what the camera shows: the segments of the last seconds, none from before the grant.
  public func playlist(_ token: String) throws(Problem) -> String {
    let view = try live(token)
    guard let post = station.posts[view.camera], let all = ClipCutter(folder: post.liveFolder).playlist,
      let header = all.header
    else { throw Problem(.conflict, "the camera shows nothing at the moment") }
    let from = view.grant.map { Date(timeIntervalSince1970: $0.seenSpan.from.secondsSince1970) } ?? .distantPast
    let segments = all.segments.filter { $0.begin >= from }.suffix(Self.shownSegments)
    return LivePlaylist.text(Array(segments), header: header)
  }

  private static let shownSegments = 5

  /// One of the files that the playlist names.
  public func segment(_ token: String, _ name: String) throws(Problem) -> [UInt8] {
    let view = try live(token, counting: name.hasPrefix("segment-") ? 1 : 0)
    guard let post = station.posts[view.camera], let all = ClipCutter(folder: post.liveFolder).playlist else {
      throw .notFound("there is no such segment any more")
    }
    let from = view.grant.map { Date(timeIntervalSince1970: $0.seenSpan.from.secondsSince1970) } ?? .distantPast
    let isShown = name == all.header || all.segments.contains { $0.name == name && $0.begin >= from }
    guard isShown, let data = FileManager.default.contents(atPath: post.liveFolder.appending(path: name).path) else {
      throw .notFound("there is no such segment any more")
    }
    return Array(data)
  }

  /// The clip that a view is of, as MP4.
  public func clip(_ token: String) throws(Problem) -> [UInt8] {
    let view = try live(token, counting: 1)
    guard let name = view.clip else { throw .notFound("the view is of no clip") }
    let clip = try requireClip(name, of: view.camera, for: view.incident)
    guard let data = FileManager.default.contents(atPath: station.file(of: clip).path) else {
      throw .notFound("the clip is there no more")
    }
    return Array(data)
  }

  /// Ends a view. One that has ended already stays so.
  public func close(_ token: String) async throws(Problem) {
    let caller = Caller.current
    let view = views.withLock { views -> View? in
      guard let view = views[token], view.caller.isSame(as: caller) else { return nil }
      views[token] = nil
      return view
    }
    if let view { try await write(view, "close") }
  }

  /// Ends what nobody asks for any more, and what has lost its ground. Called again and again.
  public func sweep() async {
    let now = hub.time
    // Rules are asked outside the lock.
    let over = openViews.filter { $0.lastAt.adding(seconds: Bounds.silence) < now || !isGrounded($0) }
    for view in over.compactMap({ view in views.withLock { $0.removeValue(forKey: view.token) } }) {
      do { try await write(view, "close") } catch { views.withLock { $0[view.token] = view } }
    }
    refusals.withLock { $0 = $0.filter { now < $0.value.adding(seconds: 60) } }
  }

  private func isGrounded(_ view: View) -> Bool {
    Caller.$current.withValue(view.caller) {
      do throws(Problem) { _ = try ground(view.camera, for: view.incident) } catch { return false }
      return true
    }
  }

  /// Views that last now.
  public var openViews: [View] { views.withLock { Array($0.values) } }

  /// When somebody last looked at a camera.
  func lastLook(at camera: String) -> DateTime? { looked.withLock { $0[camera] } }

  // MARK: - The log

  static let viewLog = "views"
  static let refusalLog = "refusals"

  /// Writes down that a view began or ended: who, what, for which incident, by which grant.
  private func write(_ view: View, _ step: String) async throws(Problem) {
    let seconds = view.lastAt.secondsSince1970 - view.openedAt.secondsSince1970
    let body = JSON.object(
      JSONObject(some: [
        "view": .string(view.id), "camera": .string(view.camera), "incident": .string(view.incident),
        "clip": view.clip.map(JSON.string), "grant": view.grant.map { .string($0.id) },
        "legalBasis": view.grant.map { .string($0.legalBasis) }, "purpose": view.grant.map { .string($0.purpose) },
        "breakGlass": view.grant.map { .bool($0.isBreakGlass) }, "by": view.caller.named,
        "openedAt": .string(view.openedAt.description),
        "endedAt": step == "open" ? nil : .string(view.lastAt.description),
        "seconds": step == "open" ? nil : .integer(Int64(seconds.rounded())),
        "segments": step == "open" ? nil : .integer(Int64(view.segments)),
      ]))
    let (caller, grant, id, camera) = (view.caller, view.grant, view.id, view.camera)
    try await asCity { () throws(Problem) in
      try await self.hub.transact(as: CameraStation.name, in: .default) { transaction in
        try transaction.keep(body, as: id, in: Self.viewLog)
        transaction.state("access", "view-" + step, of: camera, body, purpose: grant?.purpose, by: caller)
      }
    }
  }

  /// Somebody wanted to see what he may not; the same again within a minute is the same.
  private func recordRefusal(_ camera: String, _ incident: String, _ caller: Caller) async {
    let now = hub.time
    let isNew = refusals.withLock { refusals in
      let key = "\(caller.kind.rawValue) \(caller.id) \(camera)"
      if let last = refusals[key], now < last.adding(seconds: 60) { return false }
      refusals[key] = now
      return true
    }
    guard isNew, caller.kind != .nobody else { return }
    let body: JSON = [
      "camera": .string(camera), "incident": .string(incident), "by": caller.named, "at": .string(now.description),
    ]
    let id = Self.secret(1)
    try? await asCity { () throws(Problem) in
      try await self.hub.transact(as: CameraStation.name, in: .default) { transaction in
        try transaction.keep(body, as: id, in: Self.refusalLog)
        transaction.state("access", "view-refused", of: camera, body, by: caller)
      }
    }
  }

  @discardableResult
  func requireClip(_ name: String, of camera: String, for incident: String) throws(Problem) -> Clip {
    let body = try hub.document(of: CameraStation.name, name, in: CameraStation.clips, of: .default)
    guard let clip = body.flatMap({ Clip($0) }), clip.camera == camera, clip.incident == incident else {
      throw .notFound("there is no clip \(name.prefix(120)) of this camera and incident")
    }
    guard clip.state == .kept else {
      throw Problem(.conflict, "the clip is \(clip.state.rawValue)\(clip.reason.map { ": " + $0 } ?? "")")
    }
    return clip
  }

  /// What the city does for somebody who may write nothing himself: its log says who it was for.
  func asCity<Value: Sendable>(
    _ body: @Sendable () async throws(Problem) -> Value
  ) async throws(Problem) -> Value {
    let result = await Caller.$current.withValue(.city) { () async -> Result<Value, Problem> in
      do throws(Problem) { return .success(try await body()) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// So many times 64 bits that nobody guesses.
  static func secret(_ words: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<words).map { _ in String(generator.next(), radix: 36) }.joined(separator: "-")
  }
}

extension Caller {
  func isSame(as other: Caller) -> Bool { kind == other.kind && id == other.id }

  /// As records name him.
  var named: JSON {
    .object(
      JSONObject(some: ["kind": .string(kind.rawValue), "id": .string(id), "agency": agency.map(JSON.string)]))
  }
}

extension JSONObject {
  /// Members that are there.
  init(some members: KeyValuePairs<String, JSON?>) {
    self.init()
    for (name, value) in members { if let value { self[name] = value } }
  }
}

/// A media playlist (RFC 8216) of what a view may see.
enum LivePlaylist {
  static func text(_ segments: [HLSPlaylist.Segment], header: String) -> String {
    let longest = segments.map(\.seconds).max() ?? 2
    var lines = [
      "#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:\(Int(longest.rounded(.up)))",
      "#EXT-X-MEDIA-SEQUENCE:\(segments.first.flatMap { number(of: $0.name) } ?? 0)", "#EXT-X-MAP:URI=\"\(header)\"",
    ]
    for segment in segments {
      lines.append(
        "#EXT-X-PROGRAM-DATE-TIME:" + DateTime(secondsSince1970: segment.begin.timeIntervalSince1970).description)
      lines.append("#EXTINF:\(segment.seconds),")
      lines.append(segment.name)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func number(of name: String) -> Int? {
    Int(name.drop { !$0.isNumber }.prefix { $0.isASCII && $0.isNumber }.prefix(18))
  }
}
