// Azure SignalR Service in Serverless mode and the function app that is its upstream.
// Written by the app's command `deploy-files`, from its hubs. azure/steps.md says how it is used.

@description('Begins every name: lower-case letters, digits and dashes.')
@minLength(3)
@maxLength(24)
param name string

@description('Where everything is.')
param location string = resourceGroup().location

@description('The key of the upstream function. It exists only after the first deployment and the first publication of the code: leave it empty until then, and deploy again with it.')
@secure()
param upstreamKey string = ''

@description('Pages of these origins may connect to the service. Without any the service takes connections from every page that has a token.')
param allowedOrigins array = [@@ORIGINS@@]

@description('Further settings of the app, by name. A deployment sets all of them anew, so give them each time.')
@secure()
param settings object = {}

@description('Free_F1 holds 20 connections, one unit of Standard_S1 a thousand.')
@allowed(['Free_F1', 'Standard_S1', 'Premium_P1'])
param signalrSku string = 'Free_F1'

var suffix = uniqueString(resourceGroup().id, name)
var appName = '${name}-${suffix}'
var packages = 'packages'
// Storage Blob Data Owner: the host keeps its keys and locks in the account, and the code is there.
var blobOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'

// Which events of which hubs go where: azure/upstream.json, from the hubs.
var rules = loadJsonContent('upstream.json')
var origin = 'https://${appName}.azurewebsites.net'

resource signalr 'Microsoft.SignalRService/signalR@2023-02-01' = {
  name: '${name}-${suffix}'
  location: location
  kind: 'SignalR'
  sku: {
    name: signalrSku
    capacity: 1
  }
  properties: {
    features: [
      {
        flag: 'ServiceMode'
        value: 'Serverless'
      }
    ]
    cors: {
      allowedOrigins: empty(allowedOrigins) ? ['*'] : allowedOrigins
    }
    upstream: {
      templates: [
        for rule in (empty(upstreamKey) ? [] : rules): {
          urlTemplate: replace(replace(rule.urlTemplate, '{origin}', origin), '{key}', uriComponent(upstreamKey))
          hubPattern: rule.hubPattern
          categoryPattern: rule.categoryPattern
          eventPattern: rule.eventPattern
          auth: {
            type: 'None'
          }
        }
      ]
    }
  }
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'st${suffix}'
  location: location
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource container 'containers' = {
      name: packages
    }
  }
}

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${name}-logs-${suffix}'
  location: location
  properties: {
    retentionInDays: 30
    sku: {
      name: 'PerGB2018'
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: '${name}-insights-${suffix}'
  location: location
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logs.id
  }
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: '${name}-plan-${suffix}'
  location: location
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: appName
  location: location
  kind: 'functionapp,linux'
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    siteConfig: {
      minTlsVersion: '1.2'
      // No CORS here: the app answers for its negotiate, and two answers are one too many for browsers.
      appSettings: concat(
        [
          {
            name: 'AzureWebJobsStorage__accountName'
            value: storage.name
          }
          {
            name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
            value: insights.properties.ConnectionString
          }
          {
            // The host's own page would stand at `/`.
            name: 'AzureWebJobsDisableHomepage'
            value: 'true'
          }
          @@SETTINGS@@
        ],
        map(items(settings), setting => {
          name: setting.key
          value: setting.value
        })
      )
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${packages}'
          authentication: {
            type: 'SystemAssignedIdentity'
          }
        }
      }
      scaleAndConcurrency: {
        maximumInstanceCount: 40
        instanceMemoryMB: 2048
      }
      runtime: {
        name: 'custom'
        version: '1.0'
      }
    }
  }
  dependsOn: [
    storage::blobs::container
  ]
}

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, app.id, blobOwner)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobOwner)
    principalId: app.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

output app string = app.name
output origin string = origin
output signalr string = signalr.name
