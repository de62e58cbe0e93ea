import Cameras
import City
import Foundation
import Hub
import Incidents
import NGSI
import Safety
import Store
import Synchronization
import Vision

/// The city's cameras at work: their streams are read, looked at by machine, made fit to be seen, and what the rules of their zones
/// say becomes reports. What people see of them is the ``VideoDesk``'s.
public final class CameraStation: CityService {
  public static let name = "surveillance"

  public let plan: SurveillancePlan
  let hub: Hub
  let safety: SafetyService
  let folder: URL
  /// Why nothing is looked for in the pictures; `nil` where it is.
  public let blindness: String?
  let posts: [String: Post]
  private let pool: CameraPool
  private let happenings: AsyncStream<Happening>
  private let tell: AsyncStream<Happening>.Continuation
  private let recent = Mutex<[Recent]>([])
  private let dropped = Counter()
  /// Tells events of this run from those of others.
  private let run: String

  struct Post: Sendable {
    let camera: SurveillancePlan.Camera
    let stream: CameraStream
    let recorder: CameraRecorder
    let liveFolder: URL
  }

  /// What threads of the cameras tell the service.
  enum Happening: Sendable {
    case event(camera: String, ZoneEvent, at: DateTime, clip: String?)
    case clip(name: String, camera: String, failure: String?)
  }

  struct Recent: Sendable {
    var camera: String
    var event: ZoneEvent
    var at: DateTime
    var lasts: Bool
  }

  private static let mostHappenings = 10_000
  private static let mostRecent = 2_000

  /// - Parameters:
  ///   - folder: for live video, clips and exports.
  ///   - password: gives name and password of a camera, as `name:password`.
  /// - Throws: what is wrong with a camera's address or login, in words.
  public init(
    hub: Hub, safety: SafetyService, plan: SurveillancePlan, folder: URL,
    password: (SurveillancePlan.Secret) throws -> String
  ) throws {
    (self.hub, self.safety, self.plan, self.folder) = (hub, safety, plan, folder)
    run = hub.time.description
    let (happenings, tell) = AsyncStream.makeStream(
      of: Happening.self, bufferingPolicy: .bufferingOldest(Self.mostHappenings))
    (self.happenings, self.tell) = (happenings, tell)
    let settings = CameraPool.Settings()
    var posts: [String: Post] = [:]
    for camera in plan.cameras {
      var options = CameraStream.Options()
      options.size = PictureSize(width: 640, height: 360)
      options.rate = 5
      options.isPaced = !camera.source.contains("://")
      let source = try VideoSource(try Self.address(camera, password))
      let liveFolder = folder.appending(path: "live").appending(path: camera.shortName)
      let id = camera.id
      let recorder = CameraRecorder(
        folder: liveFolder, clipFolder: folder.appending(path: "clips"), privacy: camera.privacy
      ) { clip, result in
        var failure: String?
        if case .failure(let reason) = result { failure = reason.description }
        tell.yield(.clip(name: clip.name, camera: id, failure: failure))
      }
      posts[id] = Post(
        camera: camera, stream: CameraStream(source, options: options), recorder: recorder, liveFolder: liveFolder)
    }
    self.posts = posts
    let path = PersonModel.path
    blindness = path == nil ? "the network that finds people is absent: 'make setup' puts it into .models" : nil
    let counter = dropped
    let teller = Teller(
      posts: posts, kept: Set(plan.reporting.keys), tell: tell, now: { hub.time }, lost: { counter.add() })
    pool = try CameraPool(
      plan.cameras.compactMap { camera in
        posts[camera.id].map { CameraPool.Camera(id: camera.id, stream: $0.stream, zones: camera.zones) }
      }, settings: settings,
      detector: { () throws(DetectorError) in
        guard let path else { return BlindDetector() }
        return try DefaultDetector(path: path, settings: settings.watch.regions)
      }, report: { camera, moment, seen in teller.look(camera, moment, seen) })
  }

  private static func address(
    _ camera: SurveillancePlan.Camera, _ password: (SurveillancePlan.Secret) throws -> String
  ) throws -> String {
    guard let login = camera.login, var parts = URLComponents(string: camera.source) else { return camera.source }
    let words = try password(login).split(separator: ":", maxSplits: 1).map(String.init)
    parts.user = words.first
    parts.password = words.count > 1 ? words[1] : nil
    return parts.string ?? camera.source
  }

  public var contract: ServiceContract {
    ServiceContract(
      name: Self.name, owns: [], wakesOn: [.clock],
      publishes: [Self.type: ["name", "location", "bearing", "fieldOfView", "range", "streamState"]])
  }

  static let type = "Camera"

  /// Events that nobody could be told of, because too many waited.
  public var droppedEvents: Int { dropped.value }

  public func state(of camera: String) -> CameraStream.Status? { posts[camera]?.stream.status }

  /// Why there is no live video of a camera; `nil` while there is, or nothing came yet.
  public func failure(of camera: String) -> String? { posts[camera]?.recorder.failure?.description }

  /// What the zones said lately, the newest first.
  func recentEvents() -> [Recent] { recent.withLock { $0.reversed() } }

  // MARK: - At work

  /// Reads the cameras until the task is cancelled.
  public func run(clock: any CityClock, sink: any EntitySink) async throws {
    try pool.start()
    defer {
      pool.stop()
      for post in posts.values { post.recorder.stop() }
    }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.publishStates(sink) }
      group.addTask { for await happening in self.happenings { await self.take(happening) } }
      await group.next()
      group.cancelAll()
    }
  }

  /// Cameras are entities like all others; how their streams are stands there.
  private func publishStates(_ sink: any EntitySink) async {
    var known: [String: String] = [:]
    while !Task.isCancelled {
      let changed = plan.cameras.compactMap { camera -> Entity? in
        let code = state(of: camera.id)?.state.code ?? "connecting"
        guard known[camera.id] != code else { return nil }
        known[camera.id] = code
        return camera.entity(state: code, at: hub.time)
      }
      if !changed.isEmpty {
        do { try await sink.upsert(changed) } catch { for entity in changed { known[entity.id] = nil } }
      }
      try? await Task.sleep(for: .seconds(1))
    }
  }

  private func take(_ happening: Happening) async {
    switch happening {
    case .event(let camera, let event, let at, let clip): await took(event, of: camera, at: at, clip: clip)
    case .clip(let name, let camera, let failure): await keepClip(name, of: camera, failure: failure)
    }
  }

  private func took(_ event: ZoneEvent, of id: String, at: DateTime, clip: String?) async {
    recent.withLock { recent in
      if event.phase == .end {
        if let index = recent.lastIndex(where: { $0.camera == id && $0.event.number == event.number }) {
          recent[index].lasts = false
        }
        return
      }
      recent.append(Recent(camera: id, event: event, at: at, lasts: event.rule != .lineCrossing))
      if recent.count > Self.mostRecent { recent.removeFirst(recent.count - Self.mostRecent) }
    }
    guard event.phase == .begin, let camera = plan.camera(id), let reporting = plan.reporting[event.rule] else {
      return
    }
    var report = Report(
      source: id, number: "\(run) \(event.number)", channel: .camera, category: reporting.category,
      severity: reporting.severity, observedAt: at, position: camera.place.within(camera.range), about: [id])
    report.text = [camera.name.ko, event.rule.rawValue, event.zone, event.people.map { "\($0)" }].compactMap { $0 }
      .joined(separator: " · ")
    await raise(report, clip: clip, event, at: at)
  }

  /// An alarm is tried again until it is taken: a full line or disk passes.
  private func raise(_ report: Report, clip: String?, _ event: ZoneEvent, at: DateTime) async {
    var pause = 0.1
    while !Task.isCancelled {
      do throws(Problem) {
        let taken = try await safety.report(report, in: .default)
        guard let clip else { return }
        let what = Clip(
          name: clip, camera: report.source, incident: taken.incident, rule: event.rule, zone: event.zone, at: at)
        try await note(what)
        return
      } catch {
        guard error.status >= 500 || error.kind == .tooManyRequests else {
          hub.noteRefused(
            RefusedInput(
              door: Self.name, source: report.source, tenant: .default, problem: error, entityId: report.source))
          return
        }
      }
      try? await Task.sleep(for: .seconds(pause))
      pause = min(pause * 2, 10)
    }
  }
}

final class Counter: Sendable {
  private let count = Mutex(0)
  var value: Int { count.withLock { $0 } }
  func add() { count.withLock { $0 += 1 } }
}

/// What the cameras' threads call: keeps pictures, and tells events.
private struct Teller: Sendable {
  let posts: [String: CameraStation.Post]
  /// Rules whose events raise an alarm: of others no clip is kept.
  let kept: Set<Zone.Name>
  let tell: AsyncStream<CameraStation.Happening>.Continuation
  let now: @Sendable () -> DateTime
  let lost: @Sendable () -> Void

  func look(_ id: String, _ moment: CameraStream.Moment, _ seen: CameraWatch.Seen) {
    guard let post = posts[id] else { return }
    post.recorder.show(moment, known: seen.known)
    for event in seen.events {
      let at = now().adding(seconds: event.time - post.stream.now)
      let clip =
        event.phase == .begin && kept.contains(event.rule)
        ? post.recorder.keep(
          "\(post.camera.shortName)-\(Int(at.secondsSince1970))-\(event.number)", at: event.time) : nil
      if case .dropped = tell.yield(.event(camera: id, event, at: at, clip: clip)) { lost() }
    }
  }
}

/// Stands in where there is no network: cameras are shown, and nothing is looked for.
private final class BlindDetector: PersonDetector {
  func detections(in picture: Picture, regions: [RegionPlan.Region]) throws(DetectorError) -> [Detection] { [] }
}
